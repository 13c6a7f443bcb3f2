package dev.attention4j.opencl.fused;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.Map;
import java.util.Optional;

/**
 * The tunables of {@code opencl/fused/forward_rows.cl}.
 *
 * @param vectorWidth floats of a vector
 * @param rowVectors vectors of query rows of a work-item
 * @param keyTile keys of a register tile of scores
 * @param dimTile dims of a register tile of output
 * @param keyBlock keys between two rescales
 */
record RowTiling(int vectorWidth, int rowVectors, int keyTile, int dimTile, int keyBlock) {
    private static final int MOST_ROW_VECTORS = 3;

    /**
     * The tiling for a problem on a device, small enough for its local memory.
     *
     * @param rows query rows that share a key/value head
     * @return empty if not even the smallest fits
     */
    static Optional<RowTiling> choose(ClDevice device, AttentionProblem problem, long rows) {
        int width = vectorWidth(device);
        // 3 x 8 sums, 3 rows and an element fill the 32 registers of AVX-512 and NEON; 3 x 4 the 16 of AVX2.
        int keyTile = width == 16 ? 8 : 4;
        int rowVectors = (int) Math.max(1, Math.min(MOST_ROW_VECTORS, (rows + width - 1) / width));
        for (int keyBlock = 128; keyBlock >= 8; keyBlock /= 2) {
            for (int vectors = rowVectors; vectors >= 1; vectors--) {
                RowTiling tiling = new RowTiling(width, vectors, keyTile, keyTile, keyBlock);
                if (tiling.localBytes(problem) <= device.localMemoryBytes()) {
                    return Optional.of(tiling);
                }
            }
        }
        return Optional.empty();
    }

    static int vectorWidth(ClDevice device) {
        return device.nativeVectorWidth() >= 16 ? 16 : device.nativeVectorWidth() >= 8 ? 8 : 4;
    }

    int rows() {
        return rowVectors * vectorWidth;
    }

    long localBytes(AttentionProblem problem) {
        long widths = (long) problem.headDim() + problem.valueDim();
        long floats = (widths + keyBlock + 5) * rows() + (problem.dtype() == DType.FLOAT32 ? 0 : keyBlock * widths);
        return 4 * floats;
    }

    void define(Map<String, Object> defines) {
        defines.put("VECTOR_WIDTH", vectorWidth);
        defines.put("ROW_VECTORS", rowVectors);
        defines.put("KEY_TILE", keyTile);
        defines.put("DIM_TILE", dimTile);
        defines.put("KEY_BLOCK", keyBlock);
    }

    @Override
    public String toString() {
        return rows() + " rows, tiles of " + keyTile + " keys and " + dimTile + " dims, blocks of " + keyBlock
                + " keys";
    }
}
