package dev.attention4j.opencl.training;

import dev.attention4j.TensorUpdates.Operation;
import dev.attention4j.TensorUpdates.Update;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.StructLayout;
import java.util.Map;

/** Launches {@code opencl/training/update_elements.cl}: changes of tensors in place, and sums of squares. */
public final class UpdateElements {
    private static final StructLayout LAYOUT = StructLayout.of("training/update_elements.cl", "UpdateCall");

    /** As in the kernel. */
    private static final int SQUARES = 7;

    private static final int GPU_GROUP_ITEMS = 64;

    /** Elements of a CPU's work-item: enough that starting it is nothing. */
    private static final int CPU_EACH = 1024;

    /** Squares that a GPU's work-item sums: sixteen in each of sixteen sums. */
    private static final int GPU_SQUARES_EACH = 256;

    private UpdateElements() {}

    /**
     * Enqueues an update of {@code count} elements.
     *
     * @param source null if the operation reads none, as are the others after it
     */
    public static void enqueue(
            DeviceContext context,
            Update update,
            long count,
            Operand target,
            Operand source,
            Operand first,
            Operand second) {
        int each = context.device().isCpuClass() ? CPU_EACH : 1;
        launch(context, number(update.operation()), update, count, each, target, source, first, second);
    }

    private static int number(Operation operation) {
        return switch (operation) {
            case ADD -> 0;
            case SCALE -> 1;
            case GATE -> 2;
            case SGD -> 3;
            case MOMENTUM -> 4;
            case NESTEROV -> 5;
            case ADAM -> 6;
        };
    }

    /** Returns how many sums {@link #enqueueSquares} leaves of this many elements. */
    public static int sums(ClDevice device, long count) {
        int each = squaresEach(device);
        return Math.toIntExact((count + each - 1) / each);
    }

    /** Enqueues sums of squares, one for each run of neighbouring elements. */
    public static void enqueueSquares(DeviceContext context, long count, Operand source, ClBuffer sums) {
        Operand target = new Operand(sums, 0);
        int each = squaresEach(context.device());
        launch(context, SQUARES, Update.ADD, count, each, target, source, null, null);
    }

    private static int squaresEach(ClDevice device) {
        return device.isCpuClass() ? CPU_EACH : GPU_SQUARES_EACH;
    }

    private static void launch(
            DeviceContext context,
            int operation,
            Update update,
            long count,
            int each,
            Operand target,
            Operand source,
            Operand first,
            Operand second) {
        if (count == 0) {
            return;
        }
        int items = groupItems(context.device());
        ClKernel kernel = build(context, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(context, items);
        }
        StructLayout.Values call = LAYOUT.values()
                .put("count", count)
                .put("targetOffset", target.offset())
                .put("sourceOffset", source == null ? 0 : source.offset())
                .put("firstOffset", first == null ? 0 : first.offset())
                .put("secondOffset", second == null ? 0 : second.offset())
                .put("operation", operation)
                .put("each", each)
                .put("factor", update.factor())
                .put("weightDecay", update.weightDecay())
                .put("rate", update.rate())
                .put("momentum", update.momentum())
                .put("keptMean", update.keptMean())
                .put("newMean", update.newMean())
                .put("keptSquare", update.keptSquare())
                .put("newSquare", update.newSquare())
                .put("correction", update.correction())
                .put("epsilon", update.epsilon());
        kernel.arguments()
                .buffer(target.buffer())
                .buffer((source == null ? target : source).buffer())
                .buffer((first == null ? target : first).buffer())
                .buffer((second == null ? target : second).buffer())
                .struct(call);
        long owners = (count + each - 1) / each;
        long groups = (owners + items - 1) / items;
        context.queue().launch(kernel, new long[] {groups * items, 1, 1}, new long[] {items, 1, 1});
    }

    static int groupItems(ClDevice device) {
        return device.isCpuClass() ? 1 : Math.min(GPU_GROUP_ITEMS, device.maxWorkGroupSize());
    }

    private static ClKernel build(DeviceContext context, int items) {
        return context.kernel("training/update_elements.cl", "update_elements", defines(items));
    }

    static Map<String, Object> defines(int items) {
        return Map.of("GROUP_ITEMS", items);
    }
}
