package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Quirks;
import java.util.List;
import java.util.Optional;

/**
 * The tunables of {@code opencl/projection/project_tiles.cl}.
 *
 * @param localRows work-items of a work-group along the rows
 * @param localColumns work-items of a work-group along the columns
 * @param microRows rows of a work-item
 * @param microVectors vectors of {@link #VECTOR_WIDTH} columns of a work-item
 * @param depth inputs staged at a time
 */
record ProjectTilesTiling(int localRows, int localColumns, int microRows, int microVectors, int depth) {
    static final TunableSpace SPACE = new TunableSpace()
            .upTo("LOCAL_ROWS", 64)
            .upTo("LOCAL_COLUMNS", 64)
            .upTo("MICRO_ROWS", 16)
            .upTo("MICRO_VECTORS", 16)
            .upTo("DEPTH", 256);

    /** For 16-byte loads. */
    static final int VECTOR_WIDTH = 4;

    /** The best guess, then ever smaller work-groups; all with one width of panels, so that weights are packed once. */
    static List<ProjectTilesTiling> defaults(ClDevice device) {
        if (device.quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
            return List.of(new ProjectTilesTiling(2, 16, 1, 1, 8));
        }
        return List.of(
                new ProjectTilesTiling(16, 16, 4, 1, 16),
                new ProjectTilesTiling(8, 8, 4, 2, 16),
                new ProjectTilesTiling(4, 4, 4, 4, 8),
                new ProjectTilesTiling(1, 1, 4, 16, 8));
    }

    /** Register tiles from 4 x 4 to 8 x 8 sums. */
    static List<ProjectTilesTiling> candidates(ClDevice device) {
        return List.of(
                        new ProjectTilesTiling(16, 16, 4, 1, 16),
                        new ProjectTilesTiling(16, 16, 4, 1, 32),
                        new ProjectTilesTiling(16, 16, 8, 1, 16),
                        new ProjectTilesTiling(8, 16, 8, 1, 16),
                        new ProjectTilesTiling(16, 16, 4, 2, 16),
                        new ProjectTilesTiling(8, 8, 8, 2, 16),
                        new ProjectTilesTiling(16, 16, 8, 2, 16),
                        new ProjectTilesTiling(16, 8, 8, 2, 8))
                .stream()
                .filter(tiling -> tiling.whyNot(device).isEmpty())
                .toList();
    }

    /**
     * Returns the tiling of these macros.
     *
     * @throws IllegalArgumentException if they are not in {@link #SPACE}
     */
    static ProjectTilesTiling of(Tunables tunables) {
        SPACE.checked(tunables);
        return new ProjectTilesTiling(
                tunables.get("LOCAL_ROWS"),
                tunables.get("LOCAL_COLUMNS"),
                tunables.get("MICRO_ROWS"),
                tunables.get("MICRO_VECTORS"),
                tunables.get("DEPTH"));
    }

    /** Why a device cannot take it; a kernel as built may still want smaller work-groups. */
    Optional<String> whyNot(ClDevice device) {
        if (groupItems() > device.maxWorkGroupSize()) {
            return Optional.of(
                    "work-groups of " + groupItems() + ", the device takes at most " + device.maxWorkGroupSize());
        }
        return localBytes() <= device.localMemoryBytes()
                ? Optional.empty()
                : Optional.of(localBytes() + " bytes of local memory, the device has " + device.localMemoryBytes());
    }

    /** The macros. */
    Tunables tunables() {
        return SPACE.of(localRows, localColumns, microRows, microVectors, depth);
    }

    int panel() {
        return localColumns * microVectors * VECTOR_WIDTH;
    }

    /** Returns the vectors of sums of a work-item. */
    int sums() {
        return microRows * microVectors;
    }

    int tileRows() {
        return localRows * microRows;
    }

    int groupItems() {
        return localRows * localColumns;
    }

    private long localBytes() {
        return 4L * depth * (tileRows() + panel()) + 8L * tileRows();
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

    long[] group() {
        return new long[] {localColumns, localRows, 1};
    }
}
