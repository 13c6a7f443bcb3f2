package dev.attention4j.opencl.staged;

import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.runtime.ClBuffer;

/**
 * The part of a call that the four kernels do at a time: some (batch, head) slices, and of each some queries.
 *
 * @param call the call
 * @param scores [slices, queries, keyLength] floats from scoresOffset on; becomes the weights
 * @param scoresOffset in floats
 * @param firstSlice batch · queryHeads + head of the first
 * @param slices how many
 * @param firstQuery of each slice
 * @param queries how many of each slice
 */
record Block(
        DeviceCall call, ClBuffer scores, long scoresOffset, int firstSlice, int slices, int firstQuery, int queries) {
    int keys() {
        return call.problem().keyLength();
    }

    /** Whether heads are computed in small tiles: decided by the whole call, as its division was. */
    boolean hasShortHeads() {
        return StagedPlan.hasShortHeads(keys(), call.division().groupRows());
    }

    int group() {
        return call.problem().queryHeads() / call.problem().keyValueHeads();
    }

    static long ceilDiv(long a, long b) {
        return (a + b - 1) / b;
    }
}
