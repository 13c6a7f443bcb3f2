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
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.Slice;
import java.util.List;
import java.util.function.Function;

/**
 * A call as its caller made it, with the plan that computes it: tensors on host or device, and results where the query is.
 * With a query on the host, a call that the device has no room for is computed slice by slice.
 *
 * @param query [batch, queryHeads, queryLength, headDim]
 * @param key [batch, keyValueHeads, keyLength, headDim], or a pool of pages
 * @param value [batch, keyValueHeads, keyLength, valueDim], or a pool of pages
 * @param division of the whole, of which this may be a slice
 * @param maxScratchBytes the most that a plan may ask of scratch at a time; 0 to leave it to the plan
 */
record AttentionCall(
        AttentionProblem problem,
        Workload workload,
        Tensor query,
        Tensor key,
        Tensor value,
        Planner.Choice<AttentionPlan> choice,
        Division division,
        long maxScratchBytes) {
    /** Returns the workload of a problem with these tensors. */
    static Workload workload(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        Attention attention = problem.attention();
        return Workload.of(
                problem,
                query.isOnHost()
                        && key.isOnHost()
                        && value.isOnHost()
                        && attention.mask().map(Tensor::isOnHost).orElse(true)
                        && attention.bias().map(Tensor::isOnHost).orElse(true)
                        && attention.pageTable().map(Tensor::isOnHost).orElse(true));
    }

    /**
     * Enqueues transfers and kernels, under the engine's lock.
     *
     * @throws DeviceException if there is no room even for a query of one head; says how much it needs
     */
    AttentionResult enqueue(Transfers transfers) {
        DeviceContext context = transfers.context();
        Footprint footprint = footprint(context);
        List<Slice> slices = List.of(Slice.whole(problem));
        // What is to be cut must have its results on the host.
        if (DeviceTensors.belongOnHost(query) && !footprint.fits()) {
            slices = slices(context);
            if (slices.isEmpty() && context.pool().reclaim()) {
                slices = slices(context);
            }
        }
        if (slices.isEmpty()) {
            Slice least = Slices.least(problem, division);
            throw new DeviceException("attention of " + counted(least.queries(), "query", "queries") + " of "
                    + counted(least.heads(), "head", "heads") + ", with " + problem.keyLength() + " keys and values, "
                    + of(least).footprint(context).shortage());
        }
        return enqueue(transfers, slices, slices.size() == 1 ? footprint : null);
    }

    /** Returns slices that fit one after another; empty if not even the least slice does. */
    private List<Slice> slices(DeviceContext context) {
        return Slices.cut(
                problem, division, slice -> of(slice).footprint(context).fits());
    }

    /** Returns a part of this call as a call of its own. */
    private AttentionCall of(Slice slice) {
        if (slice.rows() == Slice.whole(problem).rows()) {
            return this;
        }
        Tensor ofQuery = slice.ofQuery(query);
        Tensor ofKey = slice.ofKeys(problem, key);
        Tensor ofValue = slice.ofKeys(problem, value);
        AttentionProblem part = AttentionProblem.of(ofQuery, ofKey, ofValue, slice.operation(problem));
        Workload own = workload(part, ofQuery, ofKey, ofValue);
        return new AttentionCall(part, own, ofQuery, ofKey, ofValue, choice, division, maxScratchBytes);
    }

    private static String counted(int count, String one, String many) {
        return count + " " + (count == 1 ? one : many);
    }

    /**
     * Enqueues slices that are the whole, in the order of their results.
     *
     * @param known the footprint of the only slice, or null
     */
    AttentionResult enqueue(Transfers transfers, List<Slice> slices, Footprint known) {
        Attention attention = problem.attention();
        boolean onHost = DeviceTensors.belongOnHost(query);
        AttentionResult result = new AttentionResult(
                transfers.result(problem.dtype(), onHost, problem.outputShape()),
                attention.wantsWeights() ? transfers.result(DType.FLOAT32, onHost, problem.weightsShape()) : null,
                attention.wantsLogSumExp() ? transfers.result(DType.FLOAT32, onHost, problem.logSumExpShape()) : null,
                choice.plan().name());
        for (Slice slice : slices) {
            AttentionCall call = of(slice);
            Footprint footprint = known != null ? known : call.footprint(transfers.context());
            Rows rows = new Rows(result, slice.firstRow(problem), slice.rows());
            choice.plan().enqueue(call.deviceCall(transfers, rows, footprint));
            transfers.enqueueResults();
        }
        return result;
    }

    /**
     * The rows of the whole's results that a call writes.
     *
     * @param result null in a dry run
     */
    private record Rows(AttentionResult result, long first, long count) {
        ClBuffer of(String name, Function<AttentionResult, Tensor> part, DType dtype, int width, Transfers transfers) {
            Tensor tensor = result == null ? null : part.apply(result);
            return transfers.target(name, tensor, dtype, first * width, count * width);
        }
    }

    /** Counts what the call needs: with its tensors as they lie, or without the gaps of views where that does not fit. */
    private Footprint footprint(DeviceContext context) {
        Footprint asTheyLie = footprint(context, false);
        return asTheyLie.fits() ? asTheyLie : footprint(context, true);
    }

    private Footprint footprint(DeviceContext context, boolean closesGaps) {
        Footprint footprint = new Footprint(context, closesGaps);
        deviceCall(Transfers.counting(context, footprint), new Rows(null, 0, workload.rows()), footprint);
        footprint.addAllocated("scratch", leastScratchBytes());
        return footprint;
    }

    private long leastScratchBytes() {
        return choice.plan().leastScratchBytes(workload, division);
    }

    private DeviceCall deviceCall(Transfers transfers, Rows rows, Footprint footprint) {
        Attention attention = problem.attention();
        return deviceCall(
                transfers,
                footprint.closesGaps(),
                rows.of("output", AttentionResult::output, problem.dtype(), problem.valueDim(), transfers),
                attention.wantsWeights()
                        ? rows.of("weights", AttentionResult::weights, DType.FLOAT32, problem.keyLength(), transfers)
                        : null,
                attention.wantsLogSumExp()
                        ? rows.of("log-sum-exp", AttentionResult::logSumExp, DType.FLOAT32, 1, transfers)
                        : null,
                choice.tunables(),
                footprint.scratchRoom(leastScratchBytes()));
    }

    /** Brings the call's tensors to the device, and returns it with these buffers for its results. */
    DeviceCall deviceCall(
            Transfers transfers,
            boolean closesGaps,
            ClBuffer output,
            ClBuffer weights,
            ClBuffer logSumExp,
            Tunables tunables,
            long scratchRoom) {
        Attention attention = problem.attention();
        long[] scores = problem.weightsShape();
        return new DeviceCall(
                problem,
                workload,
                tunables,
                division,
                transfers.rows("query", query, closesGaps),
                transfers.rows("key", key, closesGaps),
                transfers.rows("value", value, closesGaps),
                attention
                        .pageTable()
                        .map(table -> transfers.rows("page table", table, closesGaps))
                        .orElse(null),
                (int) key.size(0),
                attention
                        .mask()
                        .map(mask -> transfers.broadcast("mask", mask, DType.BOOL, closesGaps, scores))
                        .orElse(null),
                attention
                        .bias()
                        .map(bias -> transfers.broadcast("bias", bias, DType.FLOAT32, closesGaps, scores))
                        .orElse(null),
                KeyRanges.areNeeded(attention) ? transfers.keyRanges(problem) : null,
                transfers.floatsOrNull("ALiBi slopes", attention.alibiSlopes()),
                transfers.floatsOrNull("sinks", attention.sinks()),
                attention.expressions().isEmpty() ? null : transfers.expressions(problem),
                output,
                weights,
                logSumExp,
                maxScratchBytes,
                scratchRoom,
                transfers::scratch);
    }
}
