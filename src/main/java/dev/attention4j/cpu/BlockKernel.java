package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.spi.HiddenBlocks;
import dev.attention4j.spi.ScoreTerms;
import dev.attention4j.spi.StridedRows;
import java.util.Arrays;

/**
 * Computes one {@link QueryBlock}: walks over its keys block by block with a running maximum and sum for each lane.
 *
 * <p>Owns scratch memory, so each thread has its own.
 */
abstract class BlockKernel {
    /** Blocks of keys that are summed before they are added to the {@link RunningTotal}. */
    private static final int FOLDED_BLOCKS = 32;

    final float scale;
    final int headDim;
    final int valueDim;
    final int paddedHeadDim;
    final int paddedValueDim;
    final ScoreTerms terms;
    final Results results;
    final float[] addend = new float[KeyBlock.MOST_KEYS];
    private final float[] addendScratch = new float[KeyBlock.MOST_KEYS];
    final StridedRows queries;
    /** From {@link Exp#powers}: the powers by which weights are scaled, so that the weights of all keys sum to less than 1. */
    final float[] powers;

    /** The factor of the weights that dropout keeps. */
    private final float keptFactor;

    private final int halvings;
    private final KeyBlock keys;
    private final BlockTable table;
    private final float[] outputRow;
    /** True if mask or mask expression may hide some of the block of keys from some lane. */
    private boolean hides = true;

    /** The greatest score of each lane so far. */
    float[] max = {};
    /** The sum of the weights, 2^−halvings · e^(score − max), of each lane since the last fold. */
    float[] sum = {};

    private final RunningTotal sumTotal = new RunningTotal();
    private float[] totalMax = {};
    private float[] factor = {};

    /**
     * Makes scratch memory.
     *
     * @param table null for none
     */
    BlockKernel(
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            ScoreTerms terms,
            BlockTable table,
            Results results) {
        this.terms = terms;
        this.table = table;
        this.results = results;
        scale = (float) problem.scale();
        keptFactor = (float) terms.keptFactor();
        headDim = problem.headDim();
        valueDim = problem.valueDim();
        paddedHeadDim = KeyBlock.paddedHeadDim(problem);
        paddedValueDim = KeyBlock.paddedValueDim(problem);
        // However large values are, their sums do not overflow where their mean does not.
        halvings = Integer.SIZE - Integer.numberOfLeadingZeros(problem.keyLength() - 1);
        powers = Exp.powers(halvings);
        queries = new StridedRows(query);
        keys = new KeyBlock(problem, key, value);
        outputRow = new float[paddedValueDim];
    }

    /** Makes room for the lanes and reads their queries. */
    abstract void begin(QueryBlock lanes);

    /** Adds some keys and values. */
    abstract void step(QueryBlock lanes, KeyBlock block);

    /**
     * Multiplies each lane's totals by its factor, adds the sums of weighted values since the last fold, and makes these 0.
     * The first fold starts the totals.
     */
    abstract void fold(QueryBlock lanes, boolean first, float[] factor);

    /** Puts the totals back into the sums of weighted values. */
    abstract void unfold(QueryBlock lanes);

    /** Copies a lane's sum of weighted values, not yet divided by the sum of weights. */
    abstract void unscaledOutput(int lane, float[] target);

    /**
     * Computes a block of query rows and writes its results.
     *
     * @param index of the block
     */
    final void run(QueryBlock lanes, int index) {
        if (max.length < lanes.count) {
            max = new float[lanes.count];
            sum = new float[lanes.count];
            totalMax = new float[lanes.count];
            factor = new float[lanes.count];
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            // A sink is a first key with a value of 0.
            max[lane] = lanes.sink[lane];
            sum[lane] = max[lane] == Float.NEGATIVE_INFINITY ? 0 : Math.scalb(1f, -halvings);
        }
        begin(lanes);
        boolean folded = false;
        int blocks = 0;
        byte[] found = table == null ? null : table.of(lanes, index, terms);
        for (int start = lanes.start; start < lanes.end; start += KeyBlock.MOST_KEYS) {
            int end = Math.min(lanes.end, start + KeyBlock.MOST_KEYS);
            int seen = found == null
                    ? HiddenBlocks.SOME_SEEN | HiddenBlocks.SOME_UNSEEN
                    : HiddenBlocks.seen(found, KeyBlock.MOST_KEYS, start, end - start);
            // Blocks that are skipped count, so that they change no bit.
            if ((seen & HiddenBlocks.SOME_SEEN) != 0) {
                hides = (seen & HiddenBlocks.SOME_UNSEEN) != 0;
                keys.load(lanes.batch, lanes.keyValueHead, start, end);
                step(lanes, keys);
            }
            if (++blocks % FOLDED_BLOCKS == 0) {
                foldAll(lanes, !folded);
                folded = true;
            }
        }
        if (folded) {
            foldAll(lanes, false);
            sumTotal.read(0, sum, lanes.count);
            unfold(lanes);
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            finish(lanes, lane);
        }
    }

    private void foldAll(QueryBlock lanes, boolean first) {
        if (first) {
            sumTotal.begin(1, max.length);
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            factor[lane] = first ? 0 : Exp.of(totalMax[lane] - shift(max[lane]));
            totalMax[lane] = max[lane];
        }
        sumTotal.add(0, factor, sum, lanes.count);
        fold(lanes, first, factor);
    }

    private void finish(QueryBlock lanes, int lane) {
        float total = Math.scalb(sum[lane], halvings);
        results.logSumExp(lanes, lane, max[lane], total);
        if (results.wantsWeights()) {
            results.weights(lanes, lane, max[lane], total);
        }
        if (total == 0) {
            // No key to attend to: the output is as it was made, 0.
            return;
        }
        unscaledOutput(lane, outputRow);
        for (int c = 0; c < valueDim; c++) {
            // Adding 0 turns −0 into +0: the sign of a zero sum may depend on a masked value.
            outputRow[c] = outputRow[c] / sum[lane] * keptFactor + 0f;
        }
        results.output(lanes, lane, outputRow);
    }

    /** The maximum as it is subtracted from scores: 0 for −∞, because −∞ − −∞ would be NaN. */
    static float shift(float max) {
        return max == Float.NEGATIVE_INFINITY ? 0 : max;
    }

    /** Replaces a lane's scores of a block of keys by the values of the score expression. */
    final void change(QueryBlock lanes, int lane, KeyBlock keys, float[] scores) {
        terms.change(
                lanes.batch, lanes.head[lane], lanes.query[lane], lanes.range[lane], keys.start, keys.count, scores);
    }

    /** Returns whether anything is to be added to the scores of a block of keys. */
    final boolean adds(QueryBlock lanes, KeyBlock keys) {
        return terms.addsAnything(hides) || !lanes.seesAll(keys.start, keys.start + keys.count);
    }

    /** Returns which weights of a lane and a block of keys are kept. */
    final boolean[] kept(QueryBlock lanes, int lane, KeyBlock keys) {
        return terms.kept(lanes.batch, lanes.head[lane], lanes.query[lane], keys.start, keys.count);
    }

    /** Reads the addends of a lane's scores into {@link #addend}. */
    final void readAddend(QueryBlock lanes, int lane, KeyBlock keys) {
        terms.read(
                lanes.batch,
                lanes.head[lane],
                lanes.query[lane],
                lanes.range[lane],
                keys.start,
                keys.count,
                hides,
                addend,
                addendScratch);
    }

    /**
     * Rows of totals with what rounding takes from them (Knuth's TwoSum), so that they are nearly exact however many sums
     * are added. One running sum for each output would drift: adding 0.1 a million times in float is off by 1 %. So each
     * block of keys is summed by itself, the sums of some blocks are added up, and then added to the total.
     */
    static final class RunningTotal {
        private float[][] total = {};
        private float[][] lost = {};

        /** Starts this many rows at 0. */
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

        /** Multiplies the first totals of a row by factors, element by element, and adds this many sums, which become 0. */
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

        /** Copies the first totals of a row. */
        void read(int row, float[] target, int count) {
            for (int n = 0; n < count; n++) {
                // The rounding error of an infinite total is NaN.
                target[n] = Float.isFinite(total[row][n]) ? total[row][n] + lost[row][n] : total[row][n];
            }
        }
    }
}
