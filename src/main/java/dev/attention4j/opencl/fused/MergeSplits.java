package dev.attention4j.opencl.fused;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;

/**
 * Launches {@code opencl/fused/merge_splits.cl}: the second step of plans that split the keys of a row over several
 * work-groups, because too few rows would leave the device idle; and what merges results of several calls.
 */
public final class MergeSplits {
    private static final int GPU_GROUP_ITEMS = 64;

    private final DeviceContext context;

    /** Merges on one device. */
    public MergeSplits(DeviceContext context) {
        this.context = context;
    }

    /**
     * The partial results of the splits.
     *
     * @param output [splits, rows, valueDim] floats, normalised within each split
     * @param sums [splits, rows] pairs of floats: the maximum of the scores, and the sum of e^(score −
     *     maximum); a sum of 0 where a split had no key for the row, whose output is then not read
     * @param splits parts that the keys were split into, in whose order they are added up
     */
    public record Partial(ClBuffer output, ClBuffer sums, int splits, long rows, int valueDim) {
        /** Scratch for what the splits of a call leave; a single one leaves nothing, and gets the output for both. */
        static Partial of(DeviceCall call, int splits) {
            Workload problem = call.workload();
            ClBuffer output = call.output();
            ClBuffer sums = call.output();
            if (splits > 1) {
                output = call.scratch().apply(outputBytes(problem, splits));
                sums = call.scratch().apply(sumsBytes(problem, splits));
            }
            return new Partial(output, sums, splits, problem.rows(), problem.valueDim());
        }

        /** The bytes that {@link #of} takes. */
        static long scratchBytes(Workload problem, int splits) {
            return splits == 1 ? 0 : outputBytes(problem, splits) + sumsBytes(problem, splits);
        }

        private static long outputBytes(Workload problem, int splits) {
            return 4L * splits * problem.rows() * problem.valueDim();
        }

        private static long sumsBytes(Workload problem, int splits) {
            return 8L * splits * problem.rows();
        }
    }

    /**
     * Returns the most splits of a whole problem whose results fit scratch memory: the device's, not what is free of
     * it; a share of it, and no more than the engine's options allow if that is not 0.
     */
    long most(Workload problem, long maxScratchBytes) {
        ClDevice device = context.device();
        long usual = Math.min(device.largestAllocationBytes(), device.globalMemoryBytes() / 8);
        long bytes = maxScratchBytes > 0 ? Math.min(maxScratchBytes, usual) : usual;
        return bytes / Math.max(1, Partial.outputBytes(problem, 1) + Partial.sumsBytes(problem, 1));
    }

    /** Enqueues the merge of a call's splits, if there are several. */
    void enqueue(Partial partial, DeviceCall call) {
        if (partial.splits() > 1) {
            enqueue(partial, false, call.problem().dtype(), call.output(), call.logSumExp());
        }
    }

    /**
     * Enqueues the merge.
     *
     * @param inLogs whether the sums are [splits, rows] floats, the log-sum-exps, instead of pairs
     * @param dtype of the output
     * @param output [rows, valueDim]
     * @param logSumExp [rows] floats; null for none
     */
    public void enqueue(Partial partial, boolean inLogs, DType dtype, ClBuffer output, ClBuffer logSumExp) {
        if (partial.rows() == 0) {
            return;
        }
        int width = CommonMacros.vectorWidth(context.device());
        // A CPU's vectors are in the kernel: more work-items would only be a loop around it.
        int items = context.device().isCpuClass()
                ? 1
                : Math.min(GPU_GROUP_ITEMS, context.device().maxWorkGroupSize());
        ClKernel kernel = build(inLogs, dtype, width, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(inLogs, dtype, width, items);
        }
        kernel.arguments()
                .buffer(partial.output())
                .buffer(partial.sums())
                .buffer(output)
                .buffer(logSumExp == null ? output : logSumExp)
                .integer(logSumExp == null ? 0 : 1)
                .integer(partial.splits())
                .longInteger(partial.rows())
                .integer(partial.valueDim());
        long vectors = partial.rows() * ((partial.valueDim() + width - 1) / width);
        long groups = (vectors + items - 1) / items;
        context.queue().launch(kernel, new long[] {groups * items}, new long[] {items});
    }

    private ClKernel build(boolean inLogs, DType dtype, int width, int items) {
        return context.kernel("fused/merge_splits.cl", "merge_splits", defines(inLogs, dtype, width, items));
    }

    static Map<String, Object> defines(boolean inLogs, DType dtype, int width, int items) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("STORAGE", CommonMacros.storage(dtype));
        defines.put("VECTOR_WIDTH", width);
        defines.put("GROUP_ITEMS", items);
        if (inLogs) {
            defines.put("LOG_SUM_EXPS", 1);
        }
        return defines;
    }
}
