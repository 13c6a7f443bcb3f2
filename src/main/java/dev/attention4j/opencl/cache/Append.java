package dev.attention4j.opencl.cache;

import dev.attention4j.DType;
import dev.attention4j.RowCopy;
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

/** Launches {@code opencl/cache/append.cl}: new keys and values go to their places in a cache. */
public final class Append {
    private static final StructLayout LAYOUT = StructLayout.of("cache/append.cl", "AppendCall");
    private static final List<String> NEW_KEY = Operand.rows("newKey");
    private static final List<String> NEW_VALUE = Operand.rows("newValue");
    private static final List<String> KEY = Operand.rows("key");
    private static final List<String> VALUE = Operand.rows("value");

    /** Vectors of 16 bytes of a row of 128 floats; fewer work-items idle on narrower rows than are missed on wider. */
    private static final int GPU_GROUP_ITEMS = 32;

    /** Of a CPU's work-item: enough that starting it is nothing. */
    private static final int CPU_ROWS_EACH = 64;

    /** Of a GPU's work-group: few, so that there are many groups. */
    private static final int GPU_ROWS_EACH = 4;

    /** Ints of a copy in the table. */
    private static final int COPY = 5;

    private Append() {}

    /**
     * New rows and where they go.
     *
     * @param from [batch, heads, rows, width], last stride 1
     * @param fromType how they are stored
     * @param to [batch, heads, capacity, width], last stride 1
     * @param toType how the cache stores them
     * @param width of a row
     */
    public record Rows(Operand from, DType fromType, Operand to, DType toType, int width) {
        /** Returns rows of no width, which are left out. */
        Rows none() {
            return new Rows(from, fromType, to, toType, 0);
        }
    }

    /** Returns the table of copies that kernels read: five ints for each. */
    public static int[] table(List<RowCopy> copies) {
        int[] table = new int[COPY * copies.size()];
        for (int n = 0; n < copies.size(); n++) {
            RowCopy copy = copies.get(n);
            table[COPY * n] = copy.fromBatch();
            table[COPY * n + 1] = copy.fromRow();
            table[COPY * n + 2] = copy.toBatch();
            table[COPY * n + 3] = copy.toRow();
            table[COPY * n + 4] = copy.count();
        }
        return table;
    }

    /**
     * Enqueues the copies.
     *
     * @param keys the first rows
     * @param values the second ones; null for none
     * @param table of the copies, {@link #table}, on the device
     * @param copies at least one
     */
    public static void enqueue(
            DeviceContext context, Rows keys, Rows values, ClBuffer table, List<RowCopy> copies, int heads) {
        Rows second = values == null ? keys.none() : values;
        int rowsEach = rowsEach(context.device());
        int items = groupItems(context.device());
        ClKernel kernel = build(context, keys, second, rowsEach, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(context, keys, second, rowsEach, items);
        }
        StructLayout.Values call = LAYOUT.values()
                .put("newKeyScales", keys.from.scales())
                .put("newValueScales", second.from.scales())
                .put("keyScales", keys.to.scales())
                .put("valueScales", second.to.scales())
                .put("headDim", keys.width)
                .put("valueDim", second.width);
        Operand.put(call, NEW_KEY, keys.from);
        Operand.put(call, NEW_VALUE, second.from);
        Operand.put(call, KEY, keys.to);
        Operand.put(call, VALUE, second.to);
        kernel.arguments()
                .buffer(keys.from.buffer())
                .buffer(second.from.buffer())
                .buffer(keys.to.buffer())
                .buffer(second.to.buffer())
                .buffer(table)
                .struct(call);
        int rows = copies.stream().mapToInt(RowCopy::count).max().orElse(0);
        long runs = (rows + rowsEach - 1L) / rowsEach;
        context.queue().launch(kernel, new long[] {runs * items, heads, copies.size()}, new long[] {items, 1, 1});
    }

    /** The rows of a work-group that moves rows. */
    static int rowsEach(ClDevice device) {
        // Some emulators end a work-item's loops early.
        return device.isEmulator() ? 1 : device.isCpuClass() ? CPU_ROWS_EACH : GPU_ROWS_EACH;
    }

    /** The work-items of a work-group that moves rows; fewer if the kernel cannot be launched with that many. */
    static int groupItems(ClDevice device) {
        return device.isCpuClass() ? 1 : Math.min(GPU_GROUP_ITEMS, device.maxWorkGroupSize());
    }

    private static ClKernel build(DeviceContext context, Rows keys, Rows values, int rowsEach, int items) {
        return context.kernel("cache/append.cl", "append", defines(context.device(), keys, values, rowsEach, items));
    }

    static Map<String, Object> defines(ClDevice device, Rows keys, Rows values, int rowsEach, int items) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("NEW_KEY_STORAGE", CommonMacros.storage(keys.fromType));
        defines.put("NEW_VALUE_STORAGE", CommonMacros.storage(values.fromType));
        defines.put("KEY_STORAGE", CommonMacros.storage(keys.toType));
        defines.put("VALUE_STORAGE", CommonMacros.storage(values.toType));
        defines.put("VECTOR_WIDTH", CommonMacros.vectorWidth(device));
        defines.put("ROWS_EACH", rowsEach);
        defines.put("GROUP_ITEMS", items);
        return defines;
    }
}
