package dev.attention4j.opencl.cache;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.StructLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Launches {@code opencl/cache/rotate_heads.cl}: pairs of a head's elements turn by angles of their row's position. */
public final class RotateHeads {
    private static final StructLayout LAYOUT = StructLayout.of("cache/rotate_heads.cl", "RotateHeadsCall");
    private static final List<String> HEADS = Operand.rows("heads");

    private RotateHeads() {}

    /**
     * The heads to turn, and where the turned ones go.
     *
     * @param from [batch, heads, rows, width], last stride 1
     * @param fromType how it is stored
     * @param to the same shape, row-major
     * @param toType how that is stored
     */
    public record Heads(
            Operand from, DType fromType, ClBuffer to, DType toType, int batch, int heads, int rows, int width) {}

    /**
     * The angles of each position.
     *
     * @param cosines [1, 1, positions, pairs] floats, last stride 1
     * @param sines likewise
     * @param interleaved true if the elements of a pair are neighbours
     */
    public record Tables(Operand cosines, Operand sines, int pairs, boolean interleaved) {}

    /**
     * Enqueues the rotation of one element or more.
     *
     * @param positions ints: [batch] of the first rows, or [batch, rows] if {@code everyRow}
     */
    public static void enqueue(
            DeviceContext context, Heads heads, Tables tables, ClBuffer positions, boolean everyRow) {
        int rowsEach = Append.rowsEach(context.device());
        int items = Append.groupItems(context.device());
        ClKernel kernel = build(context, heads, tables, everyRow, rowsEach, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(context, heads, tables, everyRow, rowsEach, items);
        }
        long allRows = (long) heads.batch * heads.heads * heads.rows;
        StructLayout.Values call = LAYOUT.values()
                .put("cosinesOffset", tables.cosines.offset())
                .put("cosinesStride", tables.cosines.strides()[2])
                .put("sinesOffset", tables.sines.offset())
                .put("sinesStride", tables.sines.strides()[2])
                .put("allRows", allRows)
                .put("headCount", heads.heads)
                .put("rows", heads.rows)
                .put("width", heads.width)
                .put("pairs", tables.pairs);
        Operand.put(call, HEADS, heads.from);
        kernel.arguments()
                .buffer(heads.from.buffer())
                .buffer(heads.to)
                .buffer(tables.cosines.buffer())
                .buffer(tables.sines.buffer())
                .buffer(positions)
                .struct(call);
        long runs = (allRows + rowsEach - 1) / rowsEach;
        context.queue().launch(kernel, new long[] {runs * items}, new long[] {items});
    }

    private static ClKernel build(
            DeviceContext context, Heads heads, Tables tables, boolean everyRow, int rowsEach, int items) {
        Map<String, Object> defines = defines(context.device(), heads, tables, everyRow, rowsEach, items);
        return context.kernel("cache/rotate_heads.cl", "rotate_heads", defines);
    }

    static Map<String, Object> defines(
            ClDevice device, Heads heads, Tables tables, boolean everyRow, int rowsEach, int items) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("STORAGE", CommonMacros.storage(heads.fromType));
        defines.put("TURNED_STORAGE", CommonMacros.storage(heads.toType));
        defines.put("INTERLEAVED", tables.interleaved ? 1 : 0);
        defines.put("EVERY_ROW", everyRow ? 1 : 0);
        defines.put("VECTOR_WIDTH", CommonMacros.vectorWidth(device));
        defines.put("ROWS_EACH", rowsEach);
        defines.put("GROUP_ITEMS", items);
        return defines;
    }
}
