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

/** Launches {@code opencl/projection/project_rows.cl}: projections on CPU-class devices. */
public final class ProjectRows implements ProjectionKernel {
    /** The name of the kernel. */
    public static final String NAME = "project_rows";

    /** Fewer work-groups than this for each core leave some without work at the end. */
    private static final int GROUPS_PER_CORE = 4;

    private final DeviceContext context;
    private final ProjectRowsTiling tiling;
    private final Map<Integer, ClKernel> byStorage = new HashMap<>();

    private ProjectRows(DeviceContext context, ProjectRowsTiling tiling) {
        this.context = context;
        this.tiling = tiling;
    }

    /**
     * Projections on one device, by the tiling that suits it.
     *
     * @param context open
     * @return used under the engine's lock
     * @throws DeviceException if the device has next to no local memory
     */
    public static ProjectRows of(DeviceContext context) {
        ClDevice device = context.device();
        return ProjectRowsTiling.defaults(device).stream()
                .filter(tiling -> tiling.whyNot(device).isEmpty())
                .findFirst()
                .map(tiling -> new ProjectRows(context, tiling))
                .orElseThrow(() -> new DeviceException("no tiling of project_rows fits " + device + ": local memory "
                        + device.localMemoryBytes() + " bytes"));
    }

    /**
     * Projections by a given tiling.
     *
     * @param context open
     * @param tunables one of {@link #candidates}, say
     * @return used under the engine's lock
     * @throws IllegalArgumentException if they are not this kernel's, or do not fit the device
     */
    public static ProjectRows of(DeviceContext context, Tunables tunables) {
        ProjectRowsTiling tiling = ProjectRowsTiling.of(tunables);
        tiling.whyNot(context.device()).ifPresent(whyNot -> {
            throw new IllegalArgumentException("tunables: " + tunables + ": " + whyNot);
        });
        return new ProjectRows(context, tiling);
    }

    /**
     * What is worth timing on a device.
     *
     * @param device any
     * @return those that fit
     */
    public static List<Tunables> candidates(ClDevice device) {
        return ProjectRowsTiling.candidates(device).stream()
                .map(ProjectRowsTiling::tunables)
                .toList();
    }

    @Override
    public Variant variant() {
        return new Variant(NAME, tiling.tunables());
    }

    @Override
    public int panel() {
        return tiling.panel();
    }

    @Override
    public void enqueue(ProjectionCall whole) {
        if (whole.positions() == 0 || whole.widest() == 0) {
            return;
        }
        whole.check(LoopLimit.of(context.device()), tiling.sums());
        ClKernel kernel = byStorage.computeIfAbsent(whole.storage(), this::build);
        for (ProjectionCall call : whole.launches()) {
            int groupPanels = tiling.groupPanels(
                    call, (long) GROUPS_PER_CORE * context.device().computeUnits());
            call.set(kernel).integer(groupPanels);
            context.queue().launch(kernel, tiling.global(call, groupPanels), new long[] {1, 1, 1});
        }
    }

    private ClKernel build(int storage) {
        Map<String, Object> defines = new HashMap<>(tiling.tunables().values());
        defines.put("STORAGE", storage);
        return context.kernel("projection/project_rows.cl", NAME, defines);
    }
}
