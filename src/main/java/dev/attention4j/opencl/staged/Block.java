package dev.attention4j.opencl.staged;

import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;

/**
 * The part of a call that the staged kernels do in one launch: some heads of all batch rows, and some queries of each; the
 * parameters of {@code opencl/staged/block.clh}.
 *
 * @param call the call
 * @param scores [heads, queries, keyLength] floats from scoresOffset on; become the weights
 * @param scoresOffset in floats
 * @param firstHead batch row · queryHeads + head of the first
 * @param heads how many
 * @param firstQuery of each head
 * @param queries how many of each head
 */
record Block(
        DeviceCall call, ClBuffer scores, long scoresOffset, int firstHead, int heads, int firstQuery, int queries) {
    int keys() {
        return call.problem().keyLength();
    }

    /** Returns whether heads are computed in small tiles: decided by the whole call, as its division was. */
    boolean hasShortHeads() {
        return StagedPlan.hasShortHeads(keys(), call.division().groupRows());
    }

    /** Sets BLOCK_PARAMETERS, which are all parameters of each staged kernel. */
    void setArguments(ClKernel kernel) {
        call.arguments(kernel, 1)
                .buffer(scores)
                .longInteger(scoresOffset)
                .integer(firstHead)
                .integer(firstQuery)
                .integer(queries);
    }

    static long ceilDiv(long a, long b) {
        return (a + b - 1) / b;
    }
}
