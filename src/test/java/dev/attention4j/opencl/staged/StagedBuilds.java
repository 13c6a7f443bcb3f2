package dev.attention4j.opencl.staged;

import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The builds of the staged kernels for a GPU. */
public final class StagedBuilds {
    /** Softcap, mask, bias, key ranges, ALiBi; and a limit of the keys: {@code forward_call.clh}. */
    private static final int ALL_OPTIONS = 1 | 2 | 4 | 16 | 32 | 128;

    private static final int SOFTMAX_ITEMS = 128;

    private StagedBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        List<KernelBuild> all = new ArrayList<>();
        List<ProductTiling> tilings = ProductTiling.candidates(device, false);
        List<StorageTypes> storages = List.of(
                StorageTypes.of(DType.FLOAT32),
                StorageTypes.of(DType.FLOAT16),
                StorageTypes.of(DType.BFLOAT16),
                new StorageTypes(DType.FLOAT32, DType.Q8_0, DType.Q8_0),
                new StorageTypes(DType.FLOAT32, DType.Q4_0, DType.Q4_0));
        for (StorageTypes storage : storages) {
            all.add(scores(tilings.get(0), storage, false));
            all.add(weightedSum(tilings.get(0), storage, false, true));
        }
        all.add(scores(tilings.get(0), storages.get(0), true));
        all.add(weightedSum(tilings.get(0), storages.get(0), true, false));
        for (ProductTiling tiling : tilings.subList(1, tilings.size())) {
            all.add(scores(tiling, storages.get(0), false));
            all.add(weightedSum(tiling, storages.get(0), false, true));
        }
        all.add(build("softmax", "softmax", SOFTMAX_ITEMS, StagedPlan.softmaxDefines(device, SOFTMAX_ITEMS)));
        all.add(build("scale_mask plain", "scale_mask", 64, StagedPlan.scaleMaskDefines(0)));
        all.add(build("scale_mask options", "scale_mask", 64, StagedPlan.scaleMaskDefines(ALL_OPTIONS)));
        all.add(build("unmark", "unmark", 64, StagedPlan.elementDefines()));
        return all;
    }

    private static KernelBuild scores(ProductTiling tiling, StorageTypes storage, boolean paged) {
        return build(
                label("scores", tiling, storage, paged),
                "scores",
                tiling.groupItems(),
                StagedPlan.scoresDefines(tiling, storage, paged));
    }

    private static KernelBuild weightedSum(ProductTiling tiling, StorageTypes storage, boolean paged, boolean masks) {
        return build(
                label("weighted_sum", tiling, storage, paged) + (masks ? " masked" : ""),
                "weighted_sum",
                tiling.groupItems(),
                StagedPlan.weightedSumDefines(tiling, storage, paged, masks));
    }

    private static String label(String name, ProductTiling tiling, StorageTypes storage, boolean paged) {
        return name + " " + storage.toString().toLowerCase(Locale.ROOT) + (paged ? " paged" : "") + " ("
                + tiling.localRows() + "," + tiling.localColumns() + "," + tiling.microRows() + ","
                + tiling.microVectors() + "," + tiling.slice() + ")";
    }

    private static KernelBuild build(String label, String name, int groupItems, Map<String, Object> defines) {
        return new KernelBuild(label, "staged/" + name + ".cl", name, groupItems, defines, true);
    }
}
