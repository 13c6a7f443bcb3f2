package dev.attention4j.opencl.projection;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Launches {@code opencl/projection/project_tiles.cl}: projections on GPU-class devices. */
public final class ProjectTiles implements ProjectionKernel {
    private static final int PANEL = 64;
    private static final int VECTOR_WIDTH = 4;

    private final DeviceContext context;
    private final Map<Integer, Tiled> byStorage = new HashMap<>();

    /**
     * Projections on one device.
     *
     * @param context open
     */
    public ProjectTiles(DeviceContext context) {
        this.context = context;
    }

    /** Work-items along rows and columns; of all tilings a tile is one panel wide, so that weights are packed once. */
    private record Tiling(int localRows, int localColumns, int microRows, int depth) {
        static final List<Tiling> LARGEST_FIRST = List.of(
                new Tiling(16, 16, 4, 16), new Tiling(8, 8, 4, 16), new Tiling(4, 4, 4, 8), new Tiling(1, 1, 4, 8));

        int tileRows() {
            return localRows * microRows;
        }

        int groupItems() {
            return localRows * localColumns;
        }

        long localBytes() {
            return 4L * depth * (tileRows() + PANEL) + 8L * tileRows();
        }

        Map<String, Object> defines(int storage) {
            return Map.of(
                    "STORAGE", storage,
                    "VECTOR_WIDTH", VECTOR_WIDTH,
                    "LOCAL_ROWS", localRows,
                    "LOCAL_COLUMNS", localColumns,
                    "MICRO_ROWS", microRows,
                    "MICRO_VECTORS", PANEL / VECTOR_WIDTH / localColumns,
                    "DEPTH", depth);
        }
    }

    private record Tiled(ClKernel kernel, Tiling tiling) {}

    @Override
    public int panel() {
        return PANEL;
    }

    @Override
    public void enqueue(ProjectionCall whole) {
        if (whole.positions() == 0 || whole.widest() == 0) {
            return;
        }
        Tiled tiled = byStorage.computeIfAbsent(whole.storage(), this::build);
        Tiling tiling = tiled.tiling;
        for (ProjectionCall call : whole.launches()) {
            call.set(tiled.kernel);
            long[] global = {
                (long) (call.widest() + PANEL - 1) / PANEL * tiling.localColumns,
                (long) (call.positions() + tiling.tileRows() - 1) / tiling.tileRows() * tiling.localRows,
                call.targets().size()
            };
            context.queue().launch(tiled.kernel, global, new long[] {tiling.localColumns, tiling.localRows, 1});
        }
    }

    /** A smaller tiling where the device, or the kernel as built, cannot take a larger one. */
    private Tiled build(int storage) {
        ClDevice device = context.device();
        for (Tiling tiling : Tiling.LARGEST_FIRST) {
            if (tiling.groupItems() > device.maxWorkGroupSize() || tiling.localBytes() > device.localMemoryBytes()) {
                continue;
            }
            ClKernel kernel = context.kernel("projection/project_tiles.cl", "project_tiles", tiling.defines(storage));
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new Tiled(kernel, tiling);
            }
        }
        throw new DeviceException("no tiling of project_tiles fits " + device + ": work-group at most "
                + device.maxWorkGroupSize() + ", local memory " + device.localMemoryBytes() + " bytes");
    }
}
