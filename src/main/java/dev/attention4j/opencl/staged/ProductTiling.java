package dev.attention4j.opencl.staged;

import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.List;
import java.util.Map;

/**
 * The tile sizes of the two matrix products; see the macros in {@code opencl/staged/scores.cl}.
 *
 * @param localRows work-items of a work-group along the queries
 * @param localColumns work-items of a work-group along keys or valueDim
 * @param microRows rows of a work-item
 * @param microVectors vectors of columns of a work-item
 * @param slice columns of the left matrix staged at a time
 */
record ProductTiling(int localRows, int localColumns, int microRows, int microVectors, int slice, int vectorWidth) {
    /** Interpreters pay for all of a tile, however little of it there is. */
    private static final ProductTiling SMALL = new ProductTiling(4, 4, 4, 1, 8, 4);

    /**
     * Returns tilings from the largest on; the last fits any device. Of short heads most of a large tile would be
     * computed for nothing.
     */
    static List<ProductTiling> candidates(ClDevice device, boolean shortHeads) {
        if (device.isEmulator()) {
            return List.of(SMALL);
        }
        if (device.isCpuClass()) {
            int width = CommonMacros.vectorWidth(device);
            if (shortHeads) {
                return List.of(new ProductTiling(2, 1, 4, 1, 16, width), new ProductTiling(1, 1, 4, 1, 16, 4));
            }
            return List.of(
                    new ProductTiling(8, 1, 6, 4, 32, width),
                    new ProductTiling(4, 4, 4, 1, 16, width),
                    new ProductTiling(1, 1, 4, 1, 16, 4));
        }
        return List.of(new ProductTiling(16, 16, 4, 1, 16, 4), new ProductTiling(8, 8, 4, 1, 16, 4), SMALL);
    }

    int tileRows() {
        return localRows * microRows;
    }

    int tileColumns() {
        return localColumns * microVectors * vectorWidth;
    }

    int groupItems() {
        return localRows * localColumns;
    }

    long localBytes() {
        return 4L * slice * (tileRows() + tileColumns());
    }

    void define(String columns, String sliceName, Map<String, Object> defines) {
        defines.put("LOCAL_QUERIES", localRows);
        defines.put("LOCAL_" + columns, localColumns);
        defines.put("MICRO_QUERIES", microRows);
        defines.put("MICRO_VECTORS", microVectors);
        defines.put(sliceName, slice);
        defines.put("VECTOR_WIDTH", vectorWidth);
    }

    long[] global(long rows, long columns, long heads) {
        long columnTiles = (columns + tileColumns() - 1) / tileColumns();
        long rowTiles = (rows + tileRows() - 1) / tileRows();
        return new long[] {columnTiles * localColumns, rowTiles * localRows, heads};
    }

    long[] group() {
        return new long[] {localColumns, localRows, 1};
    }

    @Override
    public String toString() {
        return tileRows() + "x" + tileColumns() + " tiles of " + microRows + "x" + microVectors * vectorWidth;
    }
}
