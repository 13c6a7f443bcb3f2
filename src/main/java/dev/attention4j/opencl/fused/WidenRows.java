package dev.attention4j.opencl.fused;

import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;

/** Launches {@code opencl/fused/widen_rows.cl}: keys and values of 16 bits, or
 * in pages, as floats one row after another, for a plan that reads them often. */
final class WidenRows {
    /** Of a work-item: enough that starting it is nothing, few enough that a processor has many of them. */
    private static final int ROWS_EACH = 64;

    private final DeviceContext context;

    WidenRows(DeviceContext context) {
        this.context = context;
    }

    /** Returns the bytes of the floats that a problem's keys and values become. */
    static long scratchBytes(Workload problem) {
        long rows = (long) problem.batch() * problem.keyValueHeads() * problem.keyLength();
        return Float.BYTES * rows * ((long) keyWidth(problem) + valueWidth(problem));
    }

    /** Returns the elements of a key that have to be widened: none of a row of floats that is not in a page. */
    static int keyWidth(Workload problem) {
        return width(problem, problem.storage().key(), problem.headDim());
    }

    /** Returns the elements of a value that have to be widened. */
    static int valueWidth(Workload problem) {
        return width(problem, problem.storage().value(), problem.valueDim());
    }

    private static int width(Workload problem, DType dtype, int width) {
        return dtype == DType.FLOAT32 && !problem.paged() ? 0 : width;
    }

    /** Enqueues the widening of keys; returns them as floats, in scratch unless they are floats, one after another, already. */
    Operand keys(DeviceCall call) {
        int width = keyWidth(call.workload());
        return width == 0 ? call.key() : enqueue(call, false, width);
    }

    /** The same of values. */
    Operand values(DeviceCall call) {
        int width = valueWidth(call.workload());
        return width == 0 ? call.value() : enqueue(call, true, width);
    }

    private Operand enqueue(DeviceCall call, boolean ofValues, int width) {
        Workload problem = call.workload();
        int heads = problem.keyValueHeads();
        int rows = problem.keyLength();
        long headSize = (long) rows * width;
        ClBuffer to = call.scratch().apply(Float.BYTES * headSize * heads * problem.batch());
        if (headSize > 0) {
            ClKernel kernel = build(problem.storage(), problem.paged());
            call.arguments(kernel, problem.group())
                    .buffer(to)
                    .integer(ofValues ? 1 : 0)
                    .integer(ROWS_EACH);
            long runs = (rows + ROWS_EACH - 1L) / ROWS_EACH;
            context.queue().launch(kernel, new long[] {runs, heads, problem.batch()}, new long[] {1, 1, 1});
        }
        return new Operand(to, 0, new long[] {headSize * heads, headSize, width, 1});
    }

    private ClKernel build(StorageTypes storage, boolean paged) {
        Map<String, Object> defines = new HashMap<>();
        // One build whatever queries are.
        CommonMacros.define(new StorageTypes(DType.FLOAT32, storage.key(), storage.value()), paged, defines);
        defines.put("VECTOR_WIDTH", CommonMacros.vectorWidth(context.device()));
        return context.kernel("fused/widen_rows.cl", "widen_rows", defines);
    }
}
