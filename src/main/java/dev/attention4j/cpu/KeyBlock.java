package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.spi.StridedRows;
import java.util.Arrays;

/**
 * Some neighbouring keys and their values as floats, an array for each row, padded with zeros as {@link Axpy} needs it.
 *
 * <p>A weight of 0 must hide its value, but 0 · NaN is NaN. So a value row that is not finite is kept aside ({@link
 * #setAside}) for loops that look at each weight, and the fast loops find zeros in its place.
 */
final class KeyBlock {
    /** The largest number of keys of a block. */
    static final int MOST_KEYS = 64;

    private final StridedRows keySource;
    private final StridedRows valueSource;
    private final int headDim;
    private final int valueDim;
    private final float[] finiteCheck;
    /** The value rows that were set aside, their places in the block and their number. */
    final float[][] setAside = new float[MOST_KEYS][];

    final int[] setAsideRows = new int[MOST_KEYS];
    int setAsideCount;

    /** [MOST_KEYS][headDim, made even]. */
    final float[][] key;
    /** [MOST_KEYS][valueDim, made a multiple of four]. */
    final float[][] value;

    /** The first key, and the number of keys. */
    int start;

    int count;

    KeyBlock(AttentionProblem problem, Tensor key, Tensor value) {
        keySource = new StridedRows(key);
        valueSource = new StridedRows(value);
        headDim = problem.headDim();
        valueDim = problem.valueDim();
        int rows = Axpy.padded(Math.min(MOST_KEYS, problem.keyLength()), Axpy.SUMS);
        this.key = new float[rows][paddedHeadDim(problem)];
        this.value = new float[rows][paddedValueDim(problem)];
        finiteCheck = new float[paddedValueDim(problem)];
    }

    static int paddedHeadDim(AttentionProblem problem) {
        return Axpy.padded(problem.headDim(), Axpy.SOURCES);
    }

    static int paddedValueDim(AttentionProblem problem) {
        return Axpy.padded(problem.valueDim(), Axpy.SUMS);
    }

    /** Reads keys {@code from} to {@code to} − 1, at most {@link #MOST_KEYS}. */
    void load(int batch, int keyValueHead, int from, int to) {
        start = from;
        count = to - from;
        for (int j = 0; j < count; j++) {
            keySource.read(batch, keyValueHead, from + j, 0, headDim, key[j]);
            valueSource.read(batch, keyValueHead, from + j, 0, valueDim, value[j]);
        }
        for (int j = count; j < paddedCount(); j++) {
            Arrays.fill(key[j], 0);
            Arrays.fill(value[j], 0);
        }
        setRowsAside();
    }

    private void setRowsAside() {
        setAsideCount = 0;
        // Only NaN and the infinities times 0 are not 0.
        Arrays.fill(finiteCheck, 0);
        for (int j = 0; j < count; j += Axpy.SUMS) {
            Axpy.oneByFour(finiteCheck, value[j], value[j + 1], value[j + 2], value[j + 3], 0, 0, 0, 0);
        }
        if (isFinite(finiteCheck)) {
            return;
        }
        for (int j = 0; j < count; j++) {
            if (!isFinite(value[j])) {
                setAside[setAsideCount] = Arrays.copyOf(value[j], valueDim);
                setAsideRows[setAsideCount++] = j;
                Arrays.fill(value[j], 0);
            }
        }
    }

    private static boolean isFinite(float... row) {
        float zero = 0;
        for (float element : row) {
            zero += element * 0;
        }
        return zero == 0;
    }

    /** The number of rows with the padding: a multiple of four. */
    int paddedCount() {
        return Axpy.padded(count, Axpy.SUMS);
    }
}
