package dev.attention4j.opencl.fused;

import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The tunables of {@code opencl/fused/forward_tiles.cl}; see {@code opencl/fused/tile_shape.clh}.
 *
 * @param rowItems work-items of a work-group along the query rows, a multiple of 4
 * @param columnItems work-items of a work-group along keys and dims, a multiple of 8
 * @param microRows query rows of a work-item, a multiple of 4
 * @param microKeys keys of a work-item, a multiple of 4
 * @param dimSlice dims of queries and keys staged at a time, a multiple of 4
 * @param sliceKeys keys of each column of work-items whose weights and values are staged at a time: 1, 2 or
 *     4
 * @param dimPasses passes over the values of a tile, so that fewer of its sums are in registers at a time: 1, 2 or 4;
 *     fewer where a work-item has too few dims
 * @param productUnroll steps of the products' loops that the compiler writes out
 */
record ForwardTilesTiling(
        int rowItems,
        int columnItems,
        int microRows,
        int microKeys,
        int dimSlice,
        int sliceKeys,
        int dimPasses,
        int productUnroll) {
    /** Fewer tiles are not worth it to keep totals. */
    private static final int LEAST_FOLDED_TILES = 64;

    /** From the most work per float of local memory to the least. */
    static final List<ForwardTilesTiling> CANDIDATES = List.of(
            of(16, 16, 8, 8, 16, 2),
            of(16, 16, 8, 8, 16, 1),
            of(8, 32, 8, 4, 16, 1),
            of(8, 16, 8, 4, 16, 1),
            of(16, 16, 4, 4, 16, 1),
            of(8, 8, 4, 4, 16, 2),
            of(4, 32, 4, 4, 32, 1),
            of(4, 16, 4, 4, 16, 1),
            of(4, 8, 4, 4, 16, 4));

    /**
     * Worth timing on a GPU in addition: half the rows on half the work-items, so that two work-groups of a multiprocessor
     * wait at different barriers, and other lengths of slices. In the order of those that they vary.
     */
    static final List<ForwardTilesTiling> VARIATIONS = List.of(
            of(16, 16, 8, 8, 8, 1),
            of(8, 16, 8, 8, 16, 2),
            of(8, 16, 8, 8, 16, 1),
            of(8, 16, 8, 8, 8, 1),
            of(16, 16, 8, 4, 16, 1),
            of(8, 16, 8, 4, 16, 2),
            of(8, 8, 8, 8, 16, 2),
            of(4, 16, 4, 4, 32, 1));

    static final TunableSpace<ForwardTilesTiling> SPACE = new TunableSpace<>(
                    n -> new ForwardTilesTiling(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]))
            .multiples("ROW_ITEMS", 4, 64)
            .multiples("COLUMN_ITEMS", 8, 64)
            .multiples("MICRO_ROWS", 4, 16)
            .multiples("MICRO_KEYS", 4, 16)
            .multiples("DIM_SLICE", 4, 64)
            .oneOf("SLICE_KEYS", 1, 2, 4)
            .oneOf("DIM_PASSES", 1, 2, 4)
            .oneOf("PRODUCT_UNROLL", 1, 2, 4, 8, 16)
            .suchThat("work-items share out each slice evenly", tunables -> {
                int rowItems = tunables.get("ROW_ITEMS");
                int columnItems = tunables.get("COLUMN_ITEMS");
                int dimSlice = tunables.get("DIM_SLICE");
                return tunables.get("MICRO_ROWS") * dimSlice % (4 * columnItems) == 0
                        && tunables.get("MICRO_KEYS") * dimSlice % (4 * rowItems) == 0
                        && columnItems * tunables.get("SLICE_KEYS") % rowItems == 0;
            });

    /** For devices that cannot take more, after all others. */
    private static final ForwardTilesTiling LEAST = of(4, 8, 4, 4, 16, 1);

    /** Scores and outputs that a work-item may hold, whatever its registers are. */
    private static final int MOST_SUMS = 128;

    /** Where a build takes seconds, and code is large enough. */
    private static final int CPU_UNROLL = 2;

    /** Of 16, the code of a tile of keys would not fit the instruction cache of a GPU. */
    private static final int GPU_UNROLL = 8;

    private static final int[] OTHER_UNROLLS = {4, 16};

    /** With the loops of a CPU. */
    private static ForwardTilesTiling of(
            int rowItems, int columnItems, int microRows, int microKeys, int dimSlice, int sliceKeys) {
        return new ForwardTilesTiling(rowItems, columnItems, microRows, microKeys, dimSlice, sliceKeys, 1, CPU_UNROLL);
    }

    /**
     * The floats that a work-item may hold in arrays, so that the vendor's compiler leaves all in registers; the rest is for what is
     * multiplied, and for addresses. As compiled: bench/results/backends.md.
     *
     * @param preferred more passes are taken for no more than this
     * @param most above it compilers move registers to memory
     */
    private record Registers(int preferred, int most) {
        static Registers of(ClDevice device) {
            return device.isOf(ClDevice.Vendor.NVIDIA)
                    ? new Registers(144, 176)
                    : device.isOf(ClDevice.Vendor.INTEL) ? new Registers(104, 104) : new Registers(112, 112);
        }
    }

    /** Scores, outputs, the sums of a pass and what is carried to the next slice. */
    private int floats(int valueDim) {
        int passDims = microDims(valueDim) / passes(valueDim);
        int queryAndKey = tileRows() * dimSlice / groupItems() + tileKeys() * dimSlice / groupItems();
        int value = columnItems * sliceKeys * columnItems * passDims / groupItems();
        return microRows * (microKeys + microDims(valueDim) + passDims) + Math.max(queryAndKey, value);
    }

    /** Returns the passes for a width: those of the tunables, if a work-item has that many vectors of dims. */
    int passes(int valueDim) {
        int passes = dimPasses;
        while (microDims(valueDim) / 4 % passes != 0) {
            passes /= 2;
        }
        return passes;
    }

    private ForwardTilesTiling with(int passes, int unroll) {
        return new ForwardTilesTiling(rowItems, columnItems, microRows, microKeys, dimSlice, sliceKeys, passes, unroll);
    }

    /** Returns this tiling as a GPU takes it: in as few passes as its registers allow. */
    private ForwardTilesTiling onGpu(ClDevice device, int valueDim) {
        int passes = 1;
        while (passes < 4
                && with(passes, GPU_UNROLL).floats(valueDim) > Registers.of(device).preferred
                && with(2 * passes, GPU_UNROLL).passes(valueDim) == 2 * passes) {
            passes *= 2;
        }
        return with(passes, GPU_UNROLL);
    }

    private boolean staysInRegisters(ClDevice device, int valueDim) {
        return floats(valueDim) <= Registers.of(device).most;
    }

    /**
     * Returns the tilings for a problem whose key/value heads are each shared by this many query rows, the most
     * suitable first.
     */
    static List<ForwardTilesTiling> candidates(ClDevice device, Workload problem, long rows) {
        List<ForwardTilesTiling> fitting = CANDIDATES.stream()
                .filter(tiling -> tiling.fits(device.maxWorkGroupSize(), device.localMemoryBytes(), problem.valueDim()))
                .collect(Collectors.toCollection(ArrayList::new));
        if (device.isCpuClass() || device.isEmulator()) {
            // Compilers for CPUs turn work-items into loops and keep what they own in memory: the smallest builds
            // fastest. Interpreters pay for all of a tile, however little of it there is.
            fitting.sort(Comparator.comparingInt(tiling -> tiling.tileRows() * tiling.tileKeys()));
            // Registers are no matter there, and llvmpipe takes no work-group of more than 32 as built.
            if (LEAST.localBytes(problem.valueDim()) <= device.localMemoryBytes()) {
                fitting.add(LEAST);
            }
            return fitting;
        }
        List<ForwardTilesTiling> suitable = new ArrayList<>();
        List<ForwardTilesTiling> padded = new ArrayList<>();
        List<ForwardTilesTiling> empty = new ArrayList<>();
        List<ForwardTilesTiling> large = new ArrayList<>();
        for (ForwardTilesTiling each : fitting) {
            ForwardTilesTiling tiling = each.onGpu(device, problem.valueDim());
            // Of a tile that is more than half empty, more than half of the arithmetic is for nothing; of one whose
            // dims are
            // half padding, a quarter.
            boolean isEmpty = tiling.tileRows() >= 2 * rows;
            boolean isPadded = tiling.columnItems * tiling.microDims(problem.valueDim()) >= 2 * problem.valueDim();
            (!tiling.staysInRegisters(device, problem.valueDim())
                            ? large
                            : isEmpty ? empty : isPadded ? padded : suitable)
                    .add(tiling);
        }
        empty.sort(Comparator.comparingInt(ForwardTilesTiling::tileRows));
        large.sort(Comparator.comparingInt(tiling -> tiling.floats(problem.valueDim())));
        suitable.addAll(padded);
        suitable.addAll(empty);
        suitable.addAll(large);
        return suitable;
    }

    /** Returns the tilings worth timing on a GPU; one that does not stay in registers only if none does. */
    static List<ForwardTilesTiling> timed(ClDevice device, Workload problem, long rows) {
        List<ForwardTilesTiling> own = candidates(device, problem, rows);
        Set<ForwardTilesTiling> timed = new LinkedHashSet<>(own.subList(0, Math.min(1, own.size())));
        for (ForwardTilesTiling first : List.copyOf(timed)) {
            for (int unroll : OTHER_UNROLLS) {
                timed.add(first.with(first.dimPasses, unroll));
            }
        }
        Stream.concat(own.stream(), VARIATIONS.stream().map(tiling -> tiling.onGpu(device, problem.valueDim())))
                .filter(tiling -> tiling.staysInRegisters(device, problem.valueDim()))
                .forEach(timed::add);
        return List.copyOf(timed);
    }

    boolean fits(int largestGroup, long localMemoryBytes, int valueDim) {
        return groupItems() <= largestGroup && localBytes(valueDim) <= localMemoryBytes && sums(valueDim) <= MOST_SUMS;
    }

    private int sums(int valueDim) {
        return microRows * (microKeys + microDims(valueDim));
    }

    int tileRows() {
        return rowItems * microRows;
    }

    int tileKeys() {
        return columnItems * microKeys;
    }

    int groupItems() {
        return rowItems * columnItems;
    }

    /**
     * Work-groups that keep a compute unit busy; where there are fewer, the keys are split. Tiles of few rows wait for
     * memory rather than for arithmetic: twice as many.
     */
    int groupsPerUnit() {
        return Math.max(1, 256 / groupItems()) * (tileRows() <= 16 ? 2 : 1);
    }

    /** Dims of the output of a work-item: whole vectors, so that widths share builds. */
    int microDims(int valueDim) {
        return 4 * ((valueDim + 4 * columnItems - 1) / (4 * columnItems));
    }

    /** Tiles of keys that are summed before they join the totals: about as many as then join them. */
    int foldedTiles(Workload problem) {
        return (int) Math.max(LEAST_FOLDED_TILES, Math.ceil(Math.sqrt((double) keyTiles(problem))));
    }

    /** Returns true if a split of the keys has enough tiles to be summed in parts. */
    boolean folds(Workload problem, int splits) {
        return (keyTiles(problem) + splits - 1) / splits >= foldedTiles(problem);
    }

    /** The bytes of a work-group's totals: outputs, sums and maxima. */
    long totalBytes(int valueDim) {
        return 16L * (microDims(valueDim) + 2) * (microRows / 4) * groupItems();
    }

    private long keyTiles(Workload problem) {
        return (problem.keyLength() + tileKeys() - 1L) / tileKeys();
    }

    /** The local memory that the kernel declares, with OPTIONS. */
    long localBytes(int valueDim) {
        int weightPitch = tileRows() / 4 + 2;
        int scoreVectors = dimSlice * (tileRows() / 4 + 1 + tileKeys() / 4 + 1);
        int outputVectors = columnItems * sliceKeys * (weightPitch + columnItems * microDims(valueDim) / 4);
        int bytesOfRow = 3 * 4 + 2 * 4 + 8 + 2 * 4 + 2 * 8;
        return 16L * Math.max(scoreVectors, outputVectors) + (long) bytesOfRow * tileRows() + 16;
    }

    /** The macros. */
    Tunables tunables() {
        return SPACE.tunables(
                rowItems, columnItems, microRows, microKeys, dimSlice, sliceKeys, dimPasses, productUnroll);
    }

    /** Returns why a problem cannot be computed with these macros, from wherever they come. */
    static Optional<String> whyNot(ClDevice device, Workload problem, Tunables tunables) {
        return SPACE.whyNot(tunables).or(() -> {
            ForwardTilesTiling tiling = SPACE.of(tunables);
            if (tiling.fits(device.maxWorkGroupSize(), device.localMemoryBytes(), problem.valueDim())) {
                return Optional.empty();
            }
            int sums = tiling.sums(problem.valueDim());
            if (sums > MOST_SUMS) {
                return Optional.of(sums + " scores and outputs of a work-item, of which registers hold " + MOST_SUMS);
            }
            return Optional.of("work-groups of " + tiling.groupItems() + ", " + tiling.localBytes(problem.valueDim())
                    + " bytes of local memory and " + tiling.microDims(problem.valueDim())
                    + " dims for each work-item; the device"
                    + " has " + device.maxWorkGroupSize() + " and " + device.localMemoryBytes());
        });
    }

    @Override
    public String toString() {
        return tileRows() + "x" + tileKeys() + " tiles of " + microRows + "x" + microKeys + " on " + groupItems()
                + " work-items";
    }
}
