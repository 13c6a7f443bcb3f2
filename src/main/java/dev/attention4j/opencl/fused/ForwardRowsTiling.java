package dev.attention4j.opencl.fused;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The tunables of {@code opencl/fused/forward_rows.cl}.
 *
 * @param rowVectors vectors of query rows of a work-item
 * @param keyTile keys of a register tile of scores
 * @param dimTile dims of a register tile of output
 * @param keyBlock keys between two rescales
 */
record ForwardRowsTiling(int vectorWidth, int rowVectors, int keyTile, int dimTile, int keyBlock) {
    /** The kernel's FOLDED_BLOCKS: blocks of keys that are summed before they are folded into the totals. */
    private static final int FOLDED_BLOCKS = 64;

    static final TunableSpace<ForwardRowsTiling> SPACE = new TunableSpace<>(
                    n -> new ForwardRowsTiling(n[0], n[1], n[2], n[3], n[4]))
            .oneOf("VECTOR_WIDTH", 4, 8, 16)
            .upTo("ROW_VECTORS", 8)
            .upTo("KEY_TILE", 32)
            .upTo("DIM_TILE", 32)
            .upTo("KEY_BLOCK", 1024)
            .suchThat(
                    "KEY_BLOCK is a multiple of KEY_TILE",
                    tunables -> tunables.get("KEY_BLOCK") % tunables.get("KEY_TILE") == 0);

    /** For emulators, which build slowly, and let a work-item do little. */
    static final ForwardRowsTiling SMALLEST = new ForwardRowsTiling(4, 1, 4, 4, 64);

    /**
     * Widths of query and value together from which on a head's keys and values leave the caches between two
     * work-groups: more rows for each time they are read take 5 to 7 % off at 512 and 512, and at 576 and 512 (Xeon).
     */
    private static final int WIDE_HEADS = 1024;

    /**
     * Returns the tiling for a problem whose key/value heads are each shared by this many query rows, small enough for
     * the device's local memory; empty if not even the smallest fits.
     */
    static Optional<ForwardRowsTiling> choose(ClDevice device, Workload problem, long rows) {
        if (device.isEmulator() && SMALLEST.localBytes(problem) <= device.localMemoryBytes()) {
            return Optional.of(SMALLEST);
        }
        int width = CommonMacros.vectorWidth(device);
        ForwardRowsTiling wide = new ForwardRowsTiling(width, 6, 4, 4, longestBlock(width, problem));
        if (width == 16
                && problem.headDim() + problem.valueDim() >= WIDE_HEADS
                && rows >= 2L * wide.rows()
                && wide.localBytes(problem) <= device.localMemoryBytes()) {
            return Optional.of(wide);
        }
        int most = rowVectors(width, rows);
        for (int keyBlock = longestBlock(width, problem); keyBlock >= 8; keyBlock /= 2) {
            for (int vectors = most; vectors >= 1; vectors--) {
                int tile = tile(width, vectors);
                ForwardRowsTiling tiling = new ForwardRowsTiling(width, vectors, tile, tile, keyBlock);
                if (keyBlock % tile == 0 && tiling.localBytes(problem) <= device.localMemoryBytes()) {
                    return Optional.of(tiling);
                }
            }
        }
        return Optional.empty();
    }

    /** As many as the rows fill, up to what fills the registers with the sums of a tile. */
    static int rowVectors(int width, long rows) {
        int filled = (int) Math.max(1, Math.min(4, (rows + width - 1) / width));
        if (width < 16) {
            return Math.min(3, filled);
        }
        // 4 x 6 sums are about 2 % faster than 3 x 8, which is lost if they leave more lanes without a row.
        return filled == 4 && lanes(4L * width, rows) * 32 > lanes(3L * width, rows) * 33 ? 3 : filled;
    }

    private static long lanes(long lanesOfGroup, long rows) {
        return (rows + lanesOfGroup - 1) / lanesOfGroup * lanesOfGroup;
    }

    /**
     * Keys, and dims, of a tile: with its rows and an element 4 x 6 and 3 x 8 sums fill the 32 registers of AVX-512, and 3 x
     * 4 the 16 of AVX2. Those of one and two vectors are what was fastest on a Xeon.
     */
    private static int tile(int width, int rowVectors) {
        if (width < 16) {
            return 4;
        }
        return switch (rowVectors) {
            case 1 -> 12;
            case 3 -> 8;
            default -> 6;
        };
    }

    /** A block's scores and values should not leave the nearest cache, nor should, where there are any, widened keys. */
    private static int longestBlock(int width, Workload problem) {
        return width == 16
                ? 48
                : problem.storage().key() == DType.FLOAT32 && problem.storage().value() == DType.FLOAT32 ? 128 : 64;
    }

    int rows() {
        return rowVectors * vectorWidth;
    }

    long localBytes(Workload problem) {
        long widths = (long) problem.headDim() + problem.valueDim();
        int variables = problem.expressions().isEmpty() ? 0 : 2;
        return 4 * ((widths + keyBlock + 11 + variables) * rows() + widenedFloats(problem) + totalFloats(problem));
    }

    /** For the totals that blocks are folded into; none where there are too few blocks for it. */
    long totalFloats(Workload problem) {
        return folds(problem) ? (2L * problem.valueDim() + 3) * rows() : 0;
    }

    /** Three runs of keys, of which each may end in a block that is not whole. */
    private boolean folds(Workload problem) {
        return problem.keyLength() / keyBlock + 3 >= FOLDED_BLOCKS;
    }

    /** For a block of keys, or of values, of 16 bits or in pages; others are read where they lie. */
    long widenedFloats(Workload problem) {
        return (long) keyBlock * Math.max(WidenRows.keyWidth(problem), WidenRows.valueWidth(problem));
    }

    /** The macros. */
    Tunables tunables() {
        return SPACE.tunables(vectorWidth, rowVectors, keyTile, dimTile, keyBlock);
    }

    /** Returns why a problem cannot be computed with these macros, from wherever they come. */
    static Optional<String> whyNot(ClDevice device, Workload problem, Tunables tunables) {
        return SPACE.whyNot(tunables)
                .or(() -> Plan.whyNotGroup(device, 1, SPACE.of(tunables).localBytes(problem)));
    }

    /** Register tiles from small to what fills the registers, each with short and long blocks of keys. */
    static List<ForwardRowsTiling> candidates(ClDevice device, long rows) {
        int width = CommonMacros.vectorWidth(device);
        int[][] tiles = width == 16
                ? new int[][] {{1, 12, 12}, {2, 6, 6}, {2, 12, 8}, {3, 8, 8}, {4, 4, 4}, {4, 6, 6}, {6, 4, 4}}
                : new int[][] {{1, 8, 8}, {2, 4, 4}, {2, 6, 4}, {3, 4, 4}, {2, 8, 8}, {4, 2, 2}};
        List<ForwardRowsTiling> candidates = new ArrayList<>();
        for (int[] tile : tiles) {
            // More vectors than rows fill would compute rows that do not exist.
            if (tile[0] == 1 || (tile[0] - 1L) * width < rows) {
                for (int block : new int[] {48, 96, 192}) {
                    candidates.add(new ForwardRowsTiling(width, tile[0], tile[1], tile[2], block));
                }
            }
        }
        return candidates;
    }

    @Override
    public String toString() {
        return rows() + " rows, tiles of " + keyTile + " keys and " + dimTile + " dims, blocks of " + keyBlock
                + " keys";
    }
}
