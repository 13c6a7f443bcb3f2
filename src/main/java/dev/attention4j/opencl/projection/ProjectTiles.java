package dev.attention4j.opencl.projection;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Launches {@code opencl/projection/project_tiles.cl}: projections on GPU-class devices. */
public final class ProjectTiles implements ProjectionKernel {
    /** The name of the kernel. */
    public static final String NAME = "project_tiles";

    private final DeviceContext context;
    /** With panels of one width, the largest first. */
    private final List<ProjectTilesTiling> tilings;

    private final Map<Integer, Tiled> byStorage = new HashMap<>();

    private ProjectTiles(DeviceContext context, List<ProjectTilesTiling> tilings) {
        this.context = context;
        this.tilings = tilings;
    }

    /**
     * Projections on one device, by the largest tiling that it can take.
     *
     * @param context open
     * @return used under the engine's lock
     */
    public static ProjectTiles of(DeviceContext context) {
        return new ProjectTiles(context, ProjectTilesTiling.defaults(context.device()));
    }

    /**
     * Projections by a given tiling.
     *
     * @param context open
     * @param tunables one of {@link #candidates}, say
     * @return used under the engine's lock
     * @throws IllegalArgumentException if they are not this kernel's, or do not fit the device
     */
    public static ProjectTiles of(DeviceContext context, Tunables tunables) {
        ProjectTilesTiling tiling = ProjectTilesTiling.of(tunables);
        tiling.whyNot(context.device()).ifPresent(whyNot -> {
            throw new IllegalArgumentException("tunables: " + tunables + ": " + whyNot);
        });
        return new ProjectTiles(context, List.of(tiling));
    }

    /**
     * What is worth timing on a device.
     *
     * @param device any
     * @return those that fit, as far as is known before they are built
     */
    public static List<Tunables> candidates(ClDevice device) {
        return ProjectTilesTiling.candidates(device).stream()
                .map(ProjectTilesTiling::tunables)
                .toList();
    }

    private record Tiled(ClKernel kernel, ProjectTilesTiling tiling) {}

    @Override
    public Variant variant() {
        return new Variant(NAME, tilings.get(0).tunables());
    }

    @Override
    public int panel() {
        return tilings.get(0).panel();
    }

    @Override
    public void enqueue(ProjectionCall whole) {
        if (whole.positions() == 0 || whole.widest() == 0) {
            return;
        }
        Tiled tiled = byStorage.computeIfAbsent(whole.storage(), this::build);
        whole.check(LoopLimit.of(context.device()), tiled.tiling.sums());
        for (ProjectionCall call : whole.launches()) {
            call.set(tiled.kernel);
            context.queue().launch(tiled.kernel, tiled.tiling.global(call), tiled.tiling.group());
        }
    }

    /** A smaller tiling where the device, or the kernel as built, cannot take a larger one. */
    private Tiled build(int storage) {
        ClDevice device = context.device();
        for (ProjectTilesTiling tiling : tilings) {
            if (tiling.whyNot(device).isPresent()) {
                continue;
            }
            Map<String, Object> defines = new HashMap<>(tiling.tunables().values());
            defines.put("VECTOR_WIDTH", ProjectTilesTiling.VECTOR_WIDTH);
            defines.put("STORAGE", storage);
            ClKernel kernel = context.kernel("projection/project_tiles.cl", NAME, defines);
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new Tiled(kernel, tiling);
            }
        }
        throw new DeviceException("no tiling of project_tiles fits " + device + ": work-group at most "
                + device.maxWorkGroupSize() + ", local memory " + device.localMemoryBytes() + " bytes");
    }
}
