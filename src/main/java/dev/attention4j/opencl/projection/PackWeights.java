package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.StructLayout;
import java.util.Map;

/**
 * Launches {@code opencl/projection/pack_weights.cl}: matrices on the device, in whichever order they lie, become the panels
 * of {@link ProjectionPlan#pack}.
 */
public final class PackWeights {
    private static final StructLayout LAYOUT = StructLayout.of("projection/pack_weights.cl", "PackCall");

    private static final int GPU_GROUP_ITEMS = 64;

    /** Cache lines of floats, along both axes. */
    private static final int CPU_TILE = 16;

    private static final int GPU_TILE_ROWS = 8;

    private PackWeights() {}

    /**
     * The rows or the columns of a matrix: runs of neighbours.
     *
     * @param run how many have one stride
     * @param runStride elements from one run to the next
     * @param stride elements from one to the next within a run
     * @param first that is packed
     * @param count that are packed
     */
    public record Axis(int run, long runStride, long stride, int first, int count) {
        /** Returns the positions of a tensor [batch, heads, length, width]. */
        public static Axis positions(long[] shape, Operand operand, int first, int count) {
            return new Axis(run(shape[2]), operand.strides()[0], operand.strides()[2], first, count);
        }

        /** Returns the elements of a position of a tensor [batch, heads, length, width]. */
        public static Axis elements(long[] shape, Operand operand) {
            return of(shape[1], operand.strides()[1], shape[3], operand.strides()[3]);
        }

        /** Returns all of runs of this length. */
        public static Axis of(long runs, long runStride, long run, long stride) {
            return new Axis(run(run), runStride, stride, 0, Math.toIntExact(runs * run));
        }

        private static int run(long length) {
            return Math.max(1, Math.toIntExact(length));
        }
    }

    /**
     * Enqueues the packing of a matrix.
     *
     * @param source of the matrix's first element
     * @param gate likewise, of the same strides; null for none
     * @param bias [columns]; null for none
     * @param fill the first row of a panel without a bias
     * @param panel columns of a panel
     * @param target [panels, 1 + rows, panel]
     */
    public static void enqueue(
            DeviceContext context,
            Operand source,
            Operand gate,
            Operand bias,
            float fill,
            Axis rows,
            Axis columns,
            int panel,
            ClBuffer target) {
        if (columns.count == 0) {
            return;
        }
        ClDevice device = context.device();
        int items = groupItems(device);
        ClKernel kernel = build(context, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(context, items);
        }
        StructLayout.Values call = LAYOUT.values()
                .put("sourceOffset", source.offset())
                .put("rowRunStride", rows.runStride)
                .put("rowStride", rows.stride)
                .put("columnRunStride", columns.runStride)
                .put("columnStride", columns.stride)
                .put("gateOffset", gate == null ? 0 : gate.offset())
                .put("biasOffset", bias == null ? 0 : bias.offset())
                .put("rowRun", rows.run)
                .put("columnRun", columns.run)
                .put("firstRow", rows.first)
                .put("firstColumn", columns.first)
                .put("rows", rows.count)
                .put("columns", columns.count)
                .put("panel", panel)
                .put("gated", gate == null ? 0 : 1)
                .put("biased", bias == null ? 0 : 1)
                .put("fill", fill);
        kernel.arguments()
                .buffer(source.buffer())
                .buffer((gate == null ? source : gate).buffer())
                .buffer((bias == null ? source : bias).buffer())
                .buffer(target)
                .struct(call);
        int tileRows = tileRows(device);
        long alongColumns = (panel + tileColumns(device) - 1L) / tileColumns(device);
        long groups = (alongColumns + items - 1) / items;
        long alongRows = Math.max(1, (rows.count + tileRows - 1L) / tileRows);
        long panels = (columns.count + panel - 1L) / panel;
        context.queue().launch(kernel, new long[] {groups * items, alongRows, panels}, new long[] {items, 1, 1});
    }

    private static int tileRows(ClDevice device) {
        return device.isCpuClass() ? CPU_TILE : GPU_TILE_ROWS;
    }

    private static int tileColumns(ClDevice device) {
        return device.isCpuClass() ? CPU_TILE : 1;
    }

    static int groupItems(ClDevice device) {
        return device.isCpuClass() ? 1 : Math.min(GPU_GROUP_ITEMS, device.maxWorkGroupSize());
    }

    private static ClKernel build(DeviceContext context, int items) {
        return context.kernel("projection/pack_weights.cl", "pack_weights", defines(context.device(), items));
    }

    static Map<String, Object> defines(ClDevice device, int items) {
        return Map.of("TILE_ROWS", tileRows(device), "TILE_COLUMNS", tileColumns(device), "GROUP_ITEMS", items);
    }
}
