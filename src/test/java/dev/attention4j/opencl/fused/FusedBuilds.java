package dev.attention4j.opencl.fused;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.List;

/** The builds of {@code forward_tiles} and {@code merge_splits} for a GPU. */
public final class FusedBuilds {
    private static final int[] WIDTHS = {64, 128, 256};
    private static final int ROWS = 4096;
    private static final int MERGED_ITEMS = 64;

    private static final List<StorageTypes> STORAGES = List.of(
            StorageTypes.of(DType.FLOAT32),
            StorageTypes.of(DType.FLOAT16),
            StorageTypes.of(DType.BFLOAT16),
            new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16),
            new StorageTypes(DType.FLOAT32, DType.Q8_0, DType.Q8_0),
            new StorageTypes(DType.FLOAT16, DType.Q4_0, DType.Q4_0));

    private FusedBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        List<KernelBuild> all = new ArrayList<>();
        for (int width : WIDTHS) {
            ForwardTilesTiling usual = usual(device, width, ROWS);
            for (StorageTypes storage : STORAGES) {
                all.add(tiles(device, usual, width, storage, false, false, true));
            }
            StorageTypes plain = STORAGES.get(0);
            all.add(tiles(device, usual, width, plain, true, false, true));
            all.add(tiles(device, usual, width, STORAGES.get(1), true, false, true));
            all.add(tiles(device, usual, width, plain, false, true, true));
            all.add(tiles(device, usual, width, plain, false, false, false));
            all.add(tiles(device, usual(device, width, 8), width, plain, false, false, true));
        }
        for (int width : WIDTHS) {
            Workload workload = workload(width, ROWS);
            for (ForwardTilesTiling tiling : ForwardTilesTiling.timed(device, workload, ROWS)) {
                if (ForwardTilesTiling.whyNot(device, workload, tiling.tunables())
                        .isPresent()) {
                    continue;
                }
                KernelBuild build = tiles(device, tiling, width, STORAGES.get(0), false, false, true);
                if (all.stream().noneMatch(other -> other.label().equals(build.label()))) {
                    all.add(build);
                }
            }
        }
        for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
            all.add(merge(device, dtype, false));
        }
        all.add(merge(device, DType.FLOAT32, true));
        return all;
    }

    private static Workload workload(int width, int rows) {
        return Workload.of(
                new AttentionProblem(1, 8, 8, rows, 4096, width, width, DType.FLOAT32, Attention.DEFAULT), false);
    }

    /** The tiling that a device takes by itself for heads of this width, each with this many query rows. */
    private static ForwardTilesTiling usual(ClDevice device, int width, int rows) {
        return ForwardTilesTiling.candidates(device, workload(width, rows), rows)
                .get(0);
    }

    private static KernelBuild tiles(
            ClDevice device,
            ForwardTilesTiling tiling,
            int width,
            StorageTypes storage,
            boolean options,
            boolean paged,
            boolean wide) {
        String label = "forward_tiles " + width + " " + storage.toString().toLowerCase(java.util.Locale.ROOT)
                + (options ? " options" : "") + (paged ? " paged" : "") + (wide ? "" : " unaligned") + " ("
                + String.join(
                        ",",
                        tiling.tunables().values().values().stream()
                                .map(String::valueOf)
                                .toList())
                + ")";
        ForwardTiles.Build build = new ForwardTiles.Build(
                storage,
                paged,
                tiling,
                tiling.microDims(width),
                tiling.passes(width),
                device.leastSubGroupItems(),
                options,
                wide,
                "",
                false);
        boolean isDefault = tiling.equals(usual(device, width, ROWS));
        return new KernelBuild(
                label, "fused/forward_tiles.cl", "forward_tiles", tiling.groupItems(), build.defines(), isDefault);
    }

    private static KernelBuild merge(ClDevice device, DType dtype, boolean inLogs) {
        return new KernelBuild(
                "merge_splits " + dtype.toString().toLowerCase(java.util.Locale.ROOT) + (inLogs ? " in logs" : ""),
                "fused/merge_splits.cl",
                "merge_splits",
                MERGED_ITEMS,
                MergeSplits.defines(inLogs, dtype, CommonMacros.vectorWidth(device), MERGED_ITEMS),
                true);
    }
}
