package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Launches {@code opencl/projection/project_rows.cl}: projections on CPU-class devices. */
public final class ProjectRows extends ProjectionPlan {
    /** The name of the plan and of its kernel. */
    public static final String NAME = "project_rows";

    /** Fewer work-groups than this for each core leave some without work at the end. */
    private static final int GROUPS_PER_CORE = 4;

    /** A cache line between the rows in local memory, as in the kernel. */
    private static final int ROW_GAP = 16;

    private static final TunableSpace<Tiling> SPACE = new TunableSpace<>(
                    n -> new Tiling(n[0], n[1], n[2], n[3], n[4], n[5]))
            .oneOf("VECTOR_WIDTH", 4, 8, 16)
            .upTo("MICRO_ROWS", 16)
            .upTo("PANEL_VECTORS", 8)
            .upTo("TILES", 64)
            .upTo("PANELS", 64)
            .upTo("DEPTH", 4096);

    private final Map<Build, ClKernel> kernels = new HashMap<>();

    /** Makes the plan on one device. */
    public ProjectRows(DeviceContext context) {
        super(context);
    }

    /**
     * The sizes of a work-group's tile.
     *
     * @param vectorWidth floats of a vector
     * @param microRows rows of a register tile
     * @param panelVectors vectors of columns of a register tile
     * @param tiles register tiles below each other of a work-group
     * @param panels the most panels of columns of a work-group
     * @param depth inputs that are brought into local memory at a time
     */
    private record Tiling(int vectorWidth, int microRows, int panelVectors, int tiles, int panels, int depth) {
        int panel() {
            return panelVectors * vectorWidth;
        }

        int rows() {
            return tiles * microRows;
        }

        /** The local memory that the kernel declares: rows, their places, and sums. */
        long localBytes() {
            return 4L * rows() * (depth + ROW_GAP) + 8L * rows() + 4L * rows() * panels * panel();
        }

        /** Panels of a work-group: fewer where there would be fewer work-groups than wanted. */
        int groupPanels(ProjectionCall call, long wanted) {
            int fewer = panels;
            while (fewer > 1 && groups(call, fewer) < wanted) {
                fewer /= 2;
            }
            return fewer;
        }

        private long groups(ProjectionCall call, int groupPanels) {
            long[] global = global(call, groupPanels);
            return global[0] * global[1] * global[2];
        }

        long[] global(ProjectionCall call, int groupPanels) {
            long columns = (long) groupPanels * panel();
            return new long[] {
                (call.widest() + columns - 1) / columns,
                (call.positions() + rows() - 1L) / rows(),
                call.targets().size()
            };
        }
    }

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
        int width = CommonMacros.vectorWidth(context.device());
        // 8 x 3 sums, 3 vectors and an element fill most of the 32 registers of AVX-512; 6 x 2 the 16 of AVX2.
        int microRows = width == 16 ? 8 : 6;
        int panelVectors = width == 16 ? 3 : 2;
        return List.of(
                SPACE.tunables(width, microRows, panelVectors, 8, 16, 512),
                SPACE.tunables(width, microRows, panelVectors, 4, 8, 256),
                SPACE.tunables(width, microRows, panelVectors, 2, 4, 128),
                SPACE.tunables(4, 4, 1, 1, 1, 64),
                SPACE.tunables(4, 2, 1, 1, 1, 64));
    }

    /** Register tiles that fill the registers, with short and long slices of inputs. */
    @Override
    public List<Tunables> candidates(Problem problem) {
        int width = CommonMacros.vectorWidth(context.device());
        int[][] tiles = width == 16 ? new int[][] {{8, 3}, {12, 2}, {6, 4}} : new int[][] {{6, 2}, {4, 3}, {4, 2}};
        return Stream.of(tiles)
                .flatMap(tile -> Stream.of(256, 512).flatMap(depth -> Stream.of(8, 16)
                        .map(below -> SPACE.tunables(width, tile[0], tile[1], below, 16, depth))))
                .toList();
    }

    @Override
    public Optional<String> whyNot(Problem problem, Tunables tunables) {
        return SPACE.whyNot(tunables)
                .or(() ->
                        Plan.whyNotGroup(context.device(), 1, SPACE.of(tunables).localBytes()));
    }

    @Override
    public String describe(Problem problem, Tunables tunables) {
        Tiling tiling = SPACE.of(tunables);
        return tiling.rows() + " rows, tiles of " + tiling.microRows + "x" + tiling.panel() + ", up to " + tiling.panels
                + " panels, " + tiling.depth + " inputs at a time";
    }

    @Override
    public int panel(Tunables tunables) {
        return SPACE.of(tunables).panel();
    }

    @Override
    int sums(Tunables tunables) {
        Tiling tiling = SPACE.of(tunables);
        return tiling.rows() * tiling.panels * tiling.panelVectors;
    }

    @Override
    void launch(ProjectionCall call) {
        Tiling tiling = SPACE.of(call.tunables());
        ClKernel kernel = kernels.computeIfAbsent(new Build(call.storage(), call.tunables()), this::build);
        int groupPanels = tiling.groupPanels(
                call, (long) GROUPS_PER_CORE * context.device().computeUnits());
        call.set(kernel).integer(groupPanels);
        context.queue().launch(kernel, tiling.global(call, groupPanels), new long[] {1, 1, 1});
    }

    private ClKernel build(Build build) {
        Map<String, Object> defines = new HashMap<>(build.tunables().values());
        defines.put("STORAGE", build.storage());
        return context.kernel("projection/project_rows.cl", NAME, defines);
    }
}
