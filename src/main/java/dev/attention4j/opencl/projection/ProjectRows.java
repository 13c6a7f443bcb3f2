package dev.attention4j.opencl.projection;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.List;
import java.util.Map;

/** Launches {@code opencl/projection/project_rows.cl}: projections on CPU-class devices. */
public final class ProjectRows implements ProjectionKernel {
    /** Fewer work-groups than this for each core leave some without work at the end. */
    private static final int GROUPS_PER_CORE = 4;

    private final DeviceContext context;
    private final Tiling tiling;

    /**
     * Projections on one device.
     *
     * @param context open
     * @throws DeviceException if the device has next to no local memory
     */
    public ProjectRows(DeviceContext context) {
        this.context = context;
        this.tiling = Tiling.of(context.device());
    }

    /** The kernel's macros. */
    private record Tiling(int vectorWidth, int microRows, int panelVectors, int tiles, int panels, int depth) {
        static Tiling of(ClDevice device) {
            int width = device.nativeVectorWidth() >= 16 ? 16 : device.nativeVectorWidth() >= 8 ? 8 : 4;
            // 8 x 3 sums, 3 vectors and an element fill most of the 32 registers of AVX-512; 6 x 2 the 16 of AVX2.
            int microRows = width == 16 ? 8 : 6;
            int panelVectors = width == 16 ? 3 : 2;
            for (Tiling tiling : List.of(
                    new Tiling(width, microRows, panelVectors, 8, 16, 512),
                    new Tiling(width, microRows, panelVectors, 4, 8, 256),
                    new Tiling(width, microRows, panelVectors, 2, 4, 128),
                    new Tiling(4, 4, 1, 1, 1, 64))) {
                if (tiling.localBytes() <= device.localMemoryBytes()) {
                    return tiling;
                }
            }
            throw new DeviceException("no tiling of project_rows fits " + device + ": local memory "
                    + device.localMemoryBytes() + " bytes");
        }

        int panel() {
            return panelVectors * vectorWidth;
        }

        int rows() {
            return tiles * microRows;
        }

        /** Of a register tile, or of all of a work-group where sums wait for more inputs. */
        long sumsBytes(int inputs, int groupPanels) {
            return 4L * microRows * panel() * (inputs > depth ? tiles * groupPanels : 1);
        }

        /** The most that a work-group needs. */
        long localBytes() {
            return 4L * rows() * (depth + 16) + 8L * rows() + sumsBytes(depth + 1, panels);
        }

        /** Panels of a work-group: fewer where there would be too few work-groups for all cores. */
        int groupPanels(ProjectionCall call, int cores) {
            int fewer = panels;
            while (fewer > 1 && groups(call, fewer) < (long) GROUPS_PER_CORE * cores) {
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

        Map<String, Object> defines(int storage) {
            return Map.of(
                    "STORAGE", storage,
                    "VECTOR_WIDTH", vectorWidth,
                    "MICRO_ROWS", microRows,
                    "PANEL_VECTORS", panelVectors,
                    "TILES", tiles,
                    "DEPTH", depth);
        }
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
        ClKernel kernel = context.kernel("projection/project_rows.cl", "project_rows", tiling.defines(whole.storage()));
        for (ProjectionCall call : whole.launches()) {
            int groupPanels = tiling.groupPanels(call, context.device().computeUnits());
            call.set(kernel).integer(groupPanels).local(tiling.sumsBytes(call.inputs(), groupPanels));
            context.queue().launch(kernel, tiling.global(call, groupPanels), new long[] {1, 1, 1});
        }
    }
}
