package dev.attention4j.opencl.backward;

import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The builds of the kernels of gradients by tiles for GPUs. */
public final class BackwardBuilds {
    private static final int SIDE = 16;

    private BackwardBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        List<KernelBuild> builds = new ArrayList<>();
        for (int width : new int[] {64, 128, 256}) {
            for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT16}) {
                for (String name : new String[] {"backward_key_value_tiles", "backward_query_tiles"}) {
                    Map<String, Object> defines = new HashMap<>(BackwardTiles.tiling(device, width, width, SIDE));
                    CommonMacros.define(StorageTypes.of(dtype), false, defines);
                    String label = name + " " + width + " " + dtype.name().toLowerCase(Locale.ROOT);
                    builds.add(new KernelBuild(label, "backward/" + name + ".cl", name, SIDE * SIDE, defines, true));
                }
            }
        }
        return builds;
    }
}
