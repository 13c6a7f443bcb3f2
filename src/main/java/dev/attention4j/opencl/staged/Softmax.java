package dev.attention4j.opencl.staged;

import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;

/** Launches {@code opencl/staged/softmax.cl}: each row of scores becomes weights, and its log-sum-exp is kept. */
final class Softmax {
    private static final int GPU_GROUP_ITEMS = 128;
    /** Rows of so many keys leave most of a larger group with nothing but barriers. */
    private static final int SHORT_ROW = 256;

    private static final int SHORT_ROW_ITEMS = 32;
    private static final int EMULATOR_ITEMS = 4;

    private final DeviceContext context;

    Softmax(DeviceContext context) {
        this.context = context;
    }

    void enqueue(Block block) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("VECTOR_WIDTH", CommonMacros.vectorWidth(context.device()));
        int items = groupItems(block.keys());
        ClKernel kernel = build(defines, items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = build(defines, items);
        }
        block.setArguments(kernel);
        context.queue()
                .launch(kernel, new long[] {(long) block.queries() * items, block.heads()}, new long[] {items, 1});
    }

    private int groupItems(int keys) {
        ClDevice device = context.device();
        if (device.isCpuClass()) {
            return 1;
        }
        // An interpreter runs the reduction's barriers for each work-item.
        int wanted = device.isEmulator() ? EMULATOR_ITEMS : keys <= SHORT_ROW ? SHORT_ROW_ITEMS : GPU_GROUP_ITEMS;
        return Integer.highestOneBit(Math.min(wanted, device.maxWorkGroupSize()));
    }

    private ClKernel build(Map<String, Object> defines, int items) {
        defines.put("GROUP_ITEMS", items);
        return context.kernel("staged/softmax.cl", "softmax", defines);
    }
}
