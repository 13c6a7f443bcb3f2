package dev.attention4j.opencl.staged;

import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.Map;

/** Launches {@code opencl/staged/unmark.cl}: weights of masked keys become plain zeros, for callers who get the weights. */
final class Unmark {
    private static final int GROUP_ITEMS = 64;

    private final DeviceContext context;

    Unmark(DeviceContext context) {
        this.context = context;
    }

    void enqueue(Block block) {
        if (block.keys() == 0) {
            return;
        }
        ClKernel kernel = context.kernel("staged/unmark.cl", "unmark", Map.of("GROUP_ITEMS", GROUP_ITEMS));
        kernel.arguments()
                .buffer(block.scores())
                .longInteger(block.scoresOffset())
                .integer(block.queries())
                .integer(block.keys());
        long[] global = {Block.ceilDiv(block.keys(), GROUP_ITEMS) * GROUP_ITEMS, block.queries(), block.slices()};
        context.queue().launch(kernel, global, new long[] {GROUP_ITEMS, 1, 1});
    }
}
