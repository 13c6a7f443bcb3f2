package dev.attention4j.cpu;

import java.util.Arrays;

/**
 * Rows of totals that keep what rounding takes from them, so that they are nearly exact however many sums they are made of.
 *
 * <p>One running sum for each output would drift: adding 0.1 a million times in float is off by 1 %. So each block of
 * keys is summed by itself, some blocks' sums are added up, and then they join the total, by Knuth's TwoSum.
 */
final class RunningTotal {
    private float[][] total = {};
    private float[][] lost = {};

    /** Begins with 0 in so many rows. */
    void begin(int rows, int count) {
        if (total.length < rows || total[0].length < count) {
            total = new float[rows][count];
            lost = new float[rows][count];
            return;
        }
        for (int row = 0; row < rows; row++) {
            Arrays.fill(total[row], 0);
            Arrays.fill(lost[row], 0);
        }
    }

    /** Multiplies the start of a row of totals by factors, element by element, and adds as many sums, which become 0. */
    void add(int row, float[] factor, float[] sums, int count) {
        float[] totals = total[row];
        float[] rest = lost[row];
        for (int n = 0; n < count; n++) {
            float before = totals[n] * factor[n];
            float after = before + sums[n];
            float back = after - before;
            float error = (before - (after - back)) + (sums[n] - back);
            rest[n] = rest[n] * factor[n] + error;
            totals[n] = after;
            sums[n] = 0;
        }
    }

    /** Copies the start of a row. */
    void read(int row, float[] target, int count) {
        for (int n = 0; n < count; n++) {
            // What an infinite total has lost is NaN.
            target[n] = Float.isFinite(total[row][n]) ? total[row][n] + lost[row][n] : total[row][n];
        }
    }
}
