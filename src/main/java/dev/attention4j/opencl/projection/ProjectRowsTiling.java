package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Quirks;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The tunables of {@code opencl/projection/project_rows.cl}.
 *
 * @param vectorWidth floats of a vector
 * @param microRows rows of a register tile
 * @param panelVectors vectors of columns of a register tile
 * @param tiles register tiles below each other of a work-group
 * @param panels the most panels of columns of a work-group
 * @param depth inputs that are brought into local memory at a time
 */
record ProjectRowsTiling(int vectorWidth, int microRows, int panelVectors, int tiles, int panels, int depth) {
    static final TunableSpace SPACE = new TunableSpace()
            .oneOf("VECTOR_WIDTH", 4, 8, 16)
            .upTo("MICRO_ROWS", 16)
            .upTo("PANEL_VECTORS", 8)
            .upTo("TILES", 64)
            .upTo("PANELS", 64)
            .upTo("DEPTH", 4096);

    /** A cache line between the rows in local memory, as in the kernel. */
    private static final int ROW_GAP = 16;

    /** The best guess for a device, then ever smaller ones, for devices with little local memory. */
    static List<ProjectRowsTiling> defaults(ClDevice device) {
        if (device.quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
            return List.of(new ProjectRowsTiling(4, 2, 1, 1, 1, 64));
        }
        int width = CommonMacros.vectorWidth(device);
        // 8 x 3 sums, 3 vectors and an element fill most of the 32 registers of AVX-512; 6 x 2 the 16 of AVX2.
        int microRows = width == 16 ? 8 : 6;
        int panelVectors = width == 16 ? 3 : 2;
        return List.of(
                new ProjectRowsTiling(width, microRows, panelVectors, 8, 16, 512),
                new ProjectRowsTiling(width, microRows, panelVectors, 4, 8, 256),
                new ProjectRowsTiling(width, microRows, panelVectors, 2, 4, 128),
                new ProjectRowsTiling(4, 4, 1, 1, 1, 64));
    }

    /** Register tiles that fill the registers, with short and long slices of inputs; those that the device can hold. */
    static List<ProjectRowsTiling> candidates(ClDevice device) {
        int width = CommonMacros.vectorWidth(device);
        int[][] tiles = width == 16 ? new int[][] {{8, 3}, {12, 2}, {6, 4}} : new int[][] {{6, 2}, {4, 3}, {4, 2}};
        return Stream.of(tiles)
                .flatMap(tile -> Stream.of(256, 512).flatMap(depth -> Stream.of(8, 16)
                        .map(below -> new ProjectRowsTiling(width, tile[0], tile[1], below, 16, depth))))
                .filter(tiling -> tiling.whyNot(device).isEmpty())
                .toList();
    }

    /**
     * Returns the tiling of these macros.
     *
     * @throws IllegalArgumentException if they are not in {@link #SPACE}
     */
    static ProjectRowsTiling of(Tunables tunables) {
        SPACE.checked(tunables);
        return new ProjectRowsTiling(
                tunables.get("VECTOR_WIDTH"),
                tunables.get("MICRO_ROWS"),
                tunables.get("PANEL_VECTORS"),
                tunables.get("TILES"),
                tunables.get("PANELS"),
                tunables.get("DEPTH"));
    }

    /** Why a device cannot take it. */
    Optional<String> whyNot(ClDevice device) {
        return localBytes() <= device.localMemoryBytes()
                ? Optional.empty()
                : Optional.of(localBytes() + " bytes of local memory, the device has " + device.localMemoryBytes());
    }

    /** The macros. */
    Tunables tunables() {
        return SPACE.of(vectorWidth, microRows, panelVectors, tiles, panels, depth);
    }

    int panel() {
        return panelVectors * vectorWidth;
    }

    /** Returns the vectors of sums of a work-item. */
    int sums() {
        return rows() * panels * panelVectors;
    }

    int rows() {
        return tiles * microRows;
    }

    /** What the kernel declares: rows, where they go, and sums. */
    private long localBytes() {
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
