package dev.attention4j.opencl.projection;

import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The builds of {@code project_tiles} and {@code pack_weights} for a GPU. */
public final class ProjectionBuilds {
    private static final List<String> STORAGES = List.of("float32", "float16", "bfloat16");

    private ProjectionBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        List<KernelBuild> all = new ArrayList<>();
        List<Tunables> defaults = ProjectTiles.defaults(device);
        List<Tunables> tunables = Stream.concat(defaults.stream(), ProjectTiles.candidates(device).stream())
                .distinct()
                .toList();
        for (Tunables each : tunables) {
            boolean isDefault = each.equals(defaults.get(0));
            for (int storage = 0; storage < (isDefault ? STORAGES.size() : 1); storage++) {
                all.add(new KernelBuild(
                        "project_tiles " + STORAGES.get(storage) + " ("
                                + String.join(
                                        ",",
                                        each.values().values().stream()
                                                .map(String::valueOf)
                                                .toList())
                                + ")",
                        "projection/project_tiles.cl",
                        "project_tiles",
                        each.get("LOCAL_ROWS") * each.get("LOCAL_COLUMNS"),
                        ProjectTiles.defines(each, storage),
                        isDefault));
            }
        }
        int items = PackWeights.groupItems(device);
        all.add(new KernelBuild(
                "pack_weights",
                "projection/pack_weights.cl",
                "pack_weights",
                items,
                PackWeights.defines(device, items),
                true));
        return all;
    }
}
