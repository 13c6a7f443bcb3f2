package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;

/**
 * A call as its caller made it, on its way to a plan: tensors on host or device, and results where the query is.
 *
 * @param problem of these tensors
 * @param query [batch, queryHeads, queryLength, headDim]
 * @param key [batch, keyValueHeads, keyLength, headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim]
 * @param maxScratchBytes the most that a plan may ask of scratch at a time
 */
record AttentionCall(AttentionProblem problem, Tensor query, Tensor key, Tensor value, long maxScratchBytes) {
    /** Enqueues transfers and kernels, under the engine's lock. */
    AttentionResult enqueue(Planner.Choice choice, Transfers transfers) {
        Attention attention = problem.attention();
        boolean onHost = query.isOnHost();
        Transfers.Result output = transfers.result(problem.dtype(), onHost, problem.outputShape());
        Transfers.Result weights =
                attention.wantsWeights() ? transfers.result(DType.FLOAT32, onHost, problem.weightsShape()) : null;
        Transfers.Result logSumExp =
                attention.wantsLogSumExp() ? transfers.result(DType.FLOAT32, onHost, problem.logSumExpShape()) : null;
        choice.plan()
                .enqueue(new DeviceCall(
                        problem,
                        choice.tunables(),
                        transfers.rows("query", query),
                        transfers.rows("key", key),
                        transfers.rows("value", value),
                        attention
                                .mask()
                                .map(mask -> transfers.broadcast(mask, DType.BOOL))
                                .orElse(null),
                        attention
                                .bias()
                                .map(bias -> transfers.broadcast(bias, DType.FLOAT32))
                                .orElse(null),
                        KeyRanges.needTable(attention) ? transfers.integers(KeyRanges.table(problem)) : null,
                        transfers.floatsOrNull(attention.alibiSlopes()),
                        transfers.floatsOrNull(attention.sinks()),
                        output.buffer(),
                        weights == null ? null : weights.buffer(),
                        logSumExp == null ? null : logSumExp.buffer(),
                        maxScratchBytes,
                        transfers::scratch));
        return new AttentionResult(
                output.tensor(),
                weights == null ? null : weights.tensor(),
                logSumExp == null ? null : logSumExp.tensor(),
                choice.plan().name());
    }
}
