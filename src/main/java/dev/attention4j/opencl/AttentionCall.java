package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import java.util.List;

/**
 * A call as its caller made it, on its way to a plan: tensors on host or device, and results where the query is. With a
 * query on the host, what the device has no room for is computed slice by slice.
 *
 * @param problem of these tensors
 * @param workload of the problem
 * @param query [batch, queryHeads, queryLength, headDim]
 * @param key [batch, keyValueHeads, keyLength, headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim]
 * @param maxScratchBytes the most that a plan may ask of scratch at a time; 0 to leave it to the plan
 */
record AttentionCall(
        AttentionProblem problem, Workload workload, Tensor query, Tensor key, Tensor value, long maxScratchBytes) {
    AttentionCall(AttentionProblem problem, Tensor query, Tensor key, Tensor value, long maxScratchBytes) {
        this(
                problem,
                Workload.of(problem, isOnHost(problem.attention(), query, key, value)),
                query,
                key,
                value,
                maxScratchBytes);
    }

    /** Returns whether all tensors are in host memory. */
    private static boolean isOnHost(Attention attention, Tensor query, Tensor key, Tensor value) {
        return query.isOnHost()
                && key.isOnHost()
                && value.isOnHost()
                && attention.mask().map(Tensor::isOnHost).orElse(true)
                && attention.bias().map(Tensor::isOnHost).orElse(true);
    }

    /**
     * Enqueues transfers and kernels, under the engine's lock.
     *
     * @throws DeviceException if there is no room even for a query of one head; says how much it needs
     */
    AttentionResult enqueue(Planner.Choice<AttentionPlan> choice, Transfers transfers) {
        if (!query.isOnHost()) {
            // Results are where the query is: what is to be cut must be on the host.
            return enqueue(choice, transfers, List.of(Slice.whole(problem)));
        }
        Division division = division(choice);
        List<Slice> slices = slices(choice, division, transfers);
        if (slices.isEmpty() && transfers.context().pool().reclaim()) {
            slices = slices(choice, division, transfers);
        }
        if (slices.isEmpty()) {
            Slice least = Slices.least(problem, division);
            throw new DeviceException("attention of " + counted(least.queries(), "query", "queries") + " of "
                    + counted(least.heads(), "head", "heads") + ", with " + problem.keyLength() + " keys and values, "
                    + footprint(least.of(this), choice, division, transfers).shortage());
        }
        return enqueue(choice, transfers, slices);
    }

    /** What fits one after another; empty if not even the least slice does. */
    private List<Slice> slices(Planner.Choice<AttentionPlan> choice, Division division, Transfers transfers) {
        return Slices.of(problem, division, slice -> footprint(slice.of(this), choice, division, transfers)
                .fits());
    }

    private static String counted(int count, String one, String many) {
        return count + " " + (count == 1 ? one : many);
    }

    private Division division(Planner.Choice<AttentionPlan> choice) {
        return choice.plan().division(workload, choice.tunables(), maxScratchBytes);
    }

    /** Enqueues slices that are the whole, in the order of their results. */
    AttentionResult enqueue(Planner.Choice<AttentionPlan> choice, Transfers transfers, List<Slice> slices) {
        Division division = division(choice);
        Attention attention = problem.attention();
        boolean onHost = query.isOnHost();
        AttentionResult result = new AttentionResult(
                transfers.result(problem.dtype(), onHost, problem.outputShape()),
                attention.wantsWeights() ? transfers.result(DType.FLOAT32, onHost, problem.weightsShape()) : null,
                attention.wantsLogSumExp() ? transfers.result(DType.FLOAT32, onHost, problem.logSumExpShape()) : null,
                choice.plan().name());
        for (Slice slice : slices) {
            slice.of(this)
                    .enqueue(choice, division, transfers, new Rows(result, slice.firstRow(problem), slice.rows()));
            transfers.enqueueResults();
        }
        return result;
    }

    /** Where in the results of the whole a call's rows go. */
    private record Rows(AttentionResult result, long first, long count) {
        ClBuffer of(Tensor tensor, int width, Transfers transfers) {
            return transfers.target(tensor, first * width, count * width);
        }
    }

    private static Footprint footprint(
            AttentionCall call, Planner.Choice<AttentionPlan> choice, Division division, Transfers transfers) {
        return Footprint.of(call, choice.plan().leastScratchBytes(call.workload, division), transfers.context());
    }

    /** All at once, which fits. */
    private void enqueue(Planner.Choice<AttentionPlan> choice, Division division, Transfers transfers, Rows rows) {
        Attention attention = problem.attention();
        AttentionResult result = rows.result;
        Footprint footprint = footprint(this, choice, division, transfers);
        boolean closesGaps = footprint.closesGaps();
        choice.plan()
                .enqueue(new DeviceCall(
                        problem,
                        workload,
                        choice.tunables(),
                        division,
                        transfers.rows("query", query, closesGaps),
                        transfers.rows("key", key, closesGaps),
                        transfers.rows("value", value, closesGaps),
                        attention
                                .mask()
                                .map(mask -> transfers.broadcast(mask, DType.BOOL, closesGaps, problem.weightsShape()))
                                .orElse(null),
                        attention
                                .bias()
                                .map(bias ->
                                        transfers.broadcast(bias, DType.FLOAT32, closesGaps, problem.weightsShape()))
                                .orElse(null),
                        KeyRanges.areNeeded(attention) ? transfers.integers(KeyRanges.table(problem)) : null,
                        transfers.floatsOrNull(attention.alibiSlopes()),
                        transfers.floatsOrNull(attention.sinks()),
                        rows.of(result.output(), problem.valueDim(), transfers),
                        attention.wantsWeights() ? rows.of(result.weights(), problem.keyLength(), transfers) : null,
                        attention.wantsLogSumExp() ? rows.of(result.logSumExp(), 1, transfers) : null,
                        maxScratchBytes,
                        footprint.scratchRoom(choice.plan().leastScratchBytes(workload, division)),
                        transfers::scratch));
    }
}
