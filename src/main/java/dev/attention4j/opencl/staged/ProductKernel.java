package dev.attention4j.opencl.staged;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;

/**
 * A matrix product's kernel with the largest tiling that runs here.
 *
 * @param kernel built with the tiling
 * @param tiling what it was built with
 */
record ProductKernel(ClKernel kernel, ProductTiling tiling) {
    /**
     * Builds the kernel, with a smaller tiling where the device, or the kernel as built, cannot take a larger one.
     *
     * @param shortHeads see {@link ProductTiling#candidates}
     * @param columns what the tile's columns are called in the kernel's macros
     * @param slice what the staged slice is called there
     */
    static ProductKernel build(
            DeviceContext context,
            boolean shortHeads,
            String name,
            String columns,
            String slice,
            Map<String, Object> defines) {
        for (ProductTiling tiling : ProductTiling.candidates(context.device(), shortHeads)) {
            if (tiling.groupItems() > context.device().maxWorkGroupSize()
                    || tiling.localBytes() > context.device().localMemoryBytes()) {
                continue;
            }
            Map<String, Object> all = new HashMap<>(defines);
            tiling.define(columns, slice, all);
            ClKernel kernel = context.kernel("staged/" + name + ".cl", name, all);
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new ProductKernel(kernel, tiling);
            }
        }
        throw new DeviceException("no tiling of " + name + " fits " + context.device() + ": work-group at most "
                + context.device().maxWorkGroupSize() + ", local memory "
                + context.device().localMemoryBytes() + " bytes");
    }

    void launch(DeviceContext context, Block block, int columns) {
        block.setArguments(kernel);
        context.queue().launch(kernel, tiling.global(block.queries(), columns, block.heads()), tiling.group());
    }
}
