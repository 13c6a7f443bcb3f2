package dev.attention4j.opencl.projection;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Launches {@code opencl/projection/project_tiles.cl}: projections on GPU-class devices. */
public final class ProjectTiles extends ProjectionPlan {
    /** The name of the plan and of its kernel. */
    public static final String NAME = "project_tiles";

    /** For 16-byte loads. */
    private static final int VECTOR_WIDTH = 4;

    private static final TunableSpace<Tiling> SPACE = new TunableSpace<>(n -> new Tiling(n[0], n[1], n[2], n[3], n[4]))
            .upTo("LOCAL_ROWS", 64)
            .upTo("LOCAL_COLUMNS", 64)
            .upTo("MICRO_ROWS", 16)
            .upTo("MICRO_VECTORS", 16)
            .upTo("DEPTH", 256);

    /** The best guess, then ever smaller work-groups; all with one width of panels, so that weights are packed once. */
    static final List<Tunables> DEFAULTS = List.of(
            SPACE.tunables(16, 8, 8, 2, 16),
            SPACE.tunables(16, 16, 4, 1, 16),
            SPACE.tunables(8, 8, 4, 2, 16),
            SPACE.tunables(4, 4, 4, 4, 8),
            SPACE.tunables(1, 1, 4, 16, 8),
            SPACE.tunables(2, 16, 1, 1, 8));

    /** Register tiles from 4 x 4 to 8 x 8 sums. */
    private static final List<Tunables> CANDIDATES = List.of(
            SPACE.tunables(16, 16, 4, 1, 16),
            SPACE.tunables(16, 16, 4, 1, 32),
            SPACE.tunables(16, 16, 8, 1, 16),
            SPACE.tunables(8, 16, 8, 1, 16),
            SPACE.tunables(16, 16, 4, 2, 16),
            SPACE.tunables(8, 8, 8, 2, 16),
            SPACE.tunables(16, 8, 8, 2, 16),
            SPACE.tunables(16, 16, 8, 2, 16),
            SPACE.tunables(16, 8, 8, 2, 8));

    /** Rows up to which most of the first default's tall tiles would be computed for nothing. */
    private static final int FEW_ROWS = 512;

    /** Sums of a work-item that Intel's registers have room for. */
    private static final int MOST_SUMS_ON_INTEL = 32;

    private final Map<Build, Tiled> kernels = new HashMap<>();

    /** Makes the plan on one device. */
    public ProjectTiles(DeviceContext context) {
        super(context);
    }

    /**
     * The sizes of a work-group's tile.
     *
     * @param localRows work-items of a work-group along the rows
     * @param localColumns work-items of a work-group along the columns
     * @param microRows rows of a work-item
     * @param microVectors vectors of {@link #VECTOR_WIDTH} columns of a work-item
     * @param depth inputs staged at a time
     */
    private record Tiling(int localRows, int localColumns, int microRows, int microVectors, int depth) {
        int panel() {
            return localColumns * microVectors * VECTOR_WIDTH;
        }

        int tileRows() {
            return localRows * microRows;
        }

        int groupItems() {
            return localRows * localColumns;
        }

        long localBytes() {
            return 4L * depth * (tileRows() + 4 + panel()) + 8L * tileRows();
        }

        long[] global(ProjectionCall call) {
            return new long[] {
                (long) ((call.widest() + panel() - 1) / panel())
                        * ((call.positions() + tileRows() - 1) / tileRows())
                        * localColumns,
                localRows,
                call.targets().size()
            };
        }
    }

    /** The kernel with the tiling that it was built with. */
    private record Tiled(ClKernel kernel, Tiling tiling) {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public TunableSpace<?> tunableSpace() {
        return SPACE;
    }

    @Override
    public List<Tunables> defaults(Problem problem) {
        return defaults(context.device());
    }

    /**
     * Returns the defaults of a device; the first, of 8 x 8 sums, only for NVIDIA's compiler: others move sums to memory. As
     * compiled: bench/results/backends.md.
     */
    static List<Tunables> defaults(ClDevice device) {
        return device.isOf(ClDevice.Vendor.NVIDIA) ? DEFAULTS : DEFAULTS.subList(1, DEFAULTS.size());
    }

    @Override
    public List<Tunables> candidates(Problem problem) {
        return candidates(context.device());
    }

    /** Returns what is worth timing on a device: what its registers have room for. */
    static List<Tunables> candidates(ClDevice device) {
        return CANDIDATES.stream()
                .filter(tunables -> !device.isOf(ClDevice.Vendor.INTEL)
                        || tunables.get("MICRO_ROWS") * tunables.get("MICRO_VECTORS") * VECTOR_WIDTH
                                <= MOST_SUMS_ON_INTEL)
                .toList();
    }

    @Override
    public Optional<String> whyNot(Problem problem, Tunables tunables) {
        return SPACE.whyNot(tunables).or(() -> {
            Tiling tiling = SPACE.of(tunables);
            return Plan.whyNotGroup(context.device(), tiling.groupItems(), tiling.localBytes());
        });
    }

    @Override
    public String describe(Problem problem, Tunables tunables) {
        Tiling tiling = SPACE.of(tunables);
        return tiling.tileRows() + "x" + tiling.panel() + " tiles of " + tiling.microRows + "x"
                + tiling.microVectors * VECTOR_WIDTH + " on " + tiling.groupItems() + " work-items";
    }

    @Override
    public int panel(Tunables tunables) {
        return SPACE.of(tunables).panel();
    }

    @Override
    int sums(Tunables tunables) {
        Tiling tiling = SPACE.of(tunables);
        return tiling.microRows * tiling.microVectors;
    }

    @Override
    void launch(ProjectionCall call) {
        // Of one width of panels.
        boolean low = call.tunables().equals(DEFAULTS.get(0)) && call.positions() <= FEW_ROWS;
        Tunables tunables = low ? DEFAULTS.get(1) : call.tunables();
        Tiled tiled = kernels.computeIfAbsent(new Build(call.storage(), tunables), this::build);
        call.set(tiled.kernel);
        Tiling tiling = tiled.tiling;
        context.queue()
                .launch(tiled.kernel, tiling.global(call), new long[] {tiling.localColumns, tiling.localRows, 1});
    }

    static Map<String, Object> defines(Tunables tunables, int storage) {
        Map<String, Object> defines = new HashMap<>(tunables.values());
        defines.put("VECTOR_WIDTH", VECTOR_WIDTH);
        defines.put("STORAGE", storage);
        return defines;
    }

    /** Builds the kernel; with a smaller one of the defaults where the kernel, as built, cannot take the given one. */
    private Tiled build(Build build) {
        int given = DEFAULTS.indexOf(build.tunables());
        List<Tunables> smaller = given < 0 ? List.of(build.tunables()) : DEFAULTS.subList(given, DEFAULTS.size());
        for (Tunables tunables : smaller) {
            if (whyNot(Problem.USUAL, tunables).isPresent()) {
                continue;
            }
            ClKernel kernel = context.kernel("projection/project_tiles.cl", NAME, defines(tunables, build.storage()));
            Tiling tiling = SPACE.of(tunables);
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new Tiled(kernel, tiling);
            }
        }
        ClDevice device = context.device();
        throw new DeviceException("no tiling of project_tiles fits " + device + ": work-group at most "
                + device.maxWorkGroupSize() + ", local memory " + device.localMemoryBytes() + " bytes");
    }
}
