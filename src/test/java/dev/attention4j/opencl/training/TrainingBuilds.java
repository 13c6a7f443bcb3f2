package dev.attention4j.opencl.training;

import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.List;

/** The build of {@code update_elements} for a GPU. */
public final class TrainingBuilds {
    private TrainingBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        int items = UpdateElements.groupItems(device);
        return List.of(new KernelBuild(
                "update_elements",
                "training/update_elements.cl",
                "update_elements",
                items,
                UpdateElements.defines(items),
                true));
    }
}
