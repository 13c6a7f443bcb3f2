package dev.attention4j.opencl.backward;

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
 * The tunables of {@code opencl/backward/backward_block.clh} and {@code backward_key_value.cl}.
 *
 * @param keyVectors vectors of keys of a tile
 * @param queryTile queries of a register tile
 * @param dimTile dims of a register tile of gradients of keys and values
 * @param queryBlock queries whose scores are held at a time
 */
record BackwardTiling(int vectorWidth, int keyVectors, int queryTile, int dimTile, int queryBlock) {
    static final TunableSpace<BackwardTiling> SPACE = new TunableSpace<>(
                    n -> new BackwardTiling(n[0], n[1], n[2], n[3], n[4]))
            .oneOf("VECTOR_WIDTH", 4, 8, 16)
            .upTo("KEY_VECTORS", 8)
            .upTo("QUERY_TILE", 16)
            .upTo("DIM_TILE", 16)
            .upTo("QUERY_BLOCK", 512)
            .suchThat(
                    "QUERY_BLOCK is a multiple of QUERY_TILE",
                    tunables -> tunables.get("QUERY_BLOCK") % tunables.get("QUERY_TILE") == 0);

    /**
     * Returns the tilings of a device, the best guess first, then ever smaller ones: 4 x 6 and 3 x 8 sums fill the registers of
     * AVX-512, 3 x 4 those of AVX2.
     */
    static List<BackwardTiling> of(ClDevice device, Workload problem) {
        int width = CommonMacros.vectorWidth(device);
        int most = width == 16 ? 4 : 3;
        // No more lanes than keys fill: 77 keys are two tiles of 48, not of 64.
        int vectors = Math.max(1, (problem.keyLength() + width - 1) / width);
        int tiles = (vectors + most - 1) / most;
        int filled = (vectors + tiles - 1) / tiles;
        int tile = width < 16 ? 4 : filled < 4 ? 8 : 6;
        List<BackwardTiling> tilings = new ArrayList<>();
        for (int block = 8 * tile; block >= tile; block /= 2) {
            tilings.add(new BackwardTiling(width, filled, tile, tile, block));
        }
        for (int fewer = filled - 1; fewer >= 1; fewer--) {
            tilings.add(new BackwardTiling(width, fewer, tile, tile, tile));
        }
        tilings.add(new BackwardTiling(4, 1, 2, 2, 2));
        return tilings;
    }

    static List<BackwardTiling> candidates(ClDevice device) {
        int width = CommonMacros.vectorWidth(device);
        int[][] tiles = width == 16
                ? new int[][] {{4, 6, 6}, {3, 8, 8}, {2, 12, 12}, {5, 5, 5}, {6, 4, 4}}
                : new int[][] {{3, 4, 4}, {2, 6, 6}, {4, 2, 2}};
        List<BackwardTiling> candidates = new ArrayList<>();
        for (int[] tile : tiles) {
            for (int tilesOfBlock : new int[] {4, 8, 16}) {
                candidates.add(new BackwardTiling(width, tile[0], tile[1], tile[2], tilesOfBlock * tile[1]));
            }
        }
        return candidates;
    }

    /** Returns why a device cannot take these for a problem. */
    static Optional<String> whyNot(ClDevice device, Workload problem, Tunables tunables) {
        return SPACE.whyNot(tunables)
                .or(() -> Plan.whyNotGroup(device, 1, SPACE.of(tunables).localBytes(problem)));
    }

    int keys() {
        return keyVectors * vectorWidth;
    }

    /** The vectors of a row of dims. */
    int vectors(int dims) {
        return (dims + vectorWidth - 1) / vectorWidth;
    }

    /** BLOCK_VECTORS of the kernels, in bytes. */
    private long blockBytes(Workload problem) {
        int dims = problem.headDim() + problem.valueDim();
        return 4L
                * vectorWidth
                * ((long) keyVectors * (dims + 2 * queryBlock + 1)
                        + (long) keys() * vectors(Math.max(problem.headDim(), problem.valueDim()))
                        + vectors(4 * queryBlock));
    }

    /** The local memory that {@code backward_key_value} gets. */
    long keyValueBytes(Workload problem) {
        return blockBytes(problem) + 4L * keys() * (problem.headDim() + problem.valueDim());
    }

    /** The local memory that {@code backward_bias} gets. */
    long biasBytes(Workload problem) {
        return blockBytes(problem) + 8L * keys() * queryBlock;
    }

    /** The most local memory of a kernel. */
    long localBytes(Workload problem) {
        return Math.max(keyValueBytes(problem), biasBytes(problem));
    }

    Tunables tunables() {
        return SPACE.tunables(vectorWidth, keyVectors, queryTile, dimTile, queryBlock);
    }

    @Override
    public String toString() {
        return "tiles of " + keys() + " keys and " + dimTile + " dims, blocks of " + queryBlock + " queries";
    }
}
