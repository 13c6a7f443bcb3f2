package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;

/**
 * Computes one {@link QueryBlock}: walks over its keys block by block with a running maximum and sum for each lane.
 *
 * <p>Owns scratch memory, so each thread has its own.
 */
abstract class BlockKernel {
    final float scale;
    final float softcap;
    final int headDim;
    final int valueDim;
    final int paddedHeadDim;
    final int paddedValueDim;
    final Addends addends;
    final Results results;
    final float[] addend = new float[KeyBlock.MOST_KEYS];
    final float[] addendScratch = new float[KeyBlock.MOST_KEYS];
    final StridedRows queries;
    private final KeyBlock keys;
    private final float[] outputRow;

    /** The greatest score of each lane so far. */
    float[] max = {};
    /** The sum of e^(score − max) of each lane so far. */
    float[] sum = {};

    BlockKernel(AttentionProblem problem, Tensor query, Tensor key, Tensor value, Addends addends, Results results) {
        this.addends = addends;
        this.results = results;
        scale = (float) problem.scale();
        softcap = (float) problem.attention().softcap().orElse(0);
        headDim = problem.headDim();
        valueDim = problem.valueDim();
        paddedHeadDim = KeyBlock.paddedHeadDim(problem);
        paddedValueDim = KeyBlock.paddedValueDim(problem);
        queries = new StridedRows(query);
        keys = new KeyBlock(problem, key, value);
        outputRow = new float[paddedValueDim];
    }

    /** Makes room for the lanes and reads their queries. */
    abstract void begin(QueryBlock lanes);

    /** Takes in some keys and values. */
    abstract void step(QueryBlock lanes, KeyBlock block);

    /** Copies a lane's sum of weighted values, not yet divided by the sum of weights. */
    abstract void unscaledOutput(int lane, float[] target);

    /** Computes a block of query rows and writes its results. */
    final void run(QueryBlock lanes) {
        if (max.length < lanes.count) {
            max = new float[lanes.count];
            sum = new float[lanes.count];
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            // A sink is a first key with a value of 0.
            max[lane] = lanes.sink[lane];
            sum[lane] = max[lane] == Float.NEGATIVE_INFINITY ? 0 : 1;
        }
        begin(lanes);
        for (int start = lanes.start; start < lanes.end; start += KeyBlock.MOST_KEYS) {
            keys.load(lanes.batch, lanes.keyValueHead, start, Math.min(lanes.end, start + KeyBlock.MOST_KEYS));
            step(lanes, keys);
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            finish(lanes, lane);
        }
    }

    private void finish(QueryBlock lanes, int lane) {
        float total = sum[lane];
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
            // Adding 0 makes +0 of −0: which of them a sum ends with may depend on what a masked value holds.
            outputRow[c] = outputRow[c] / total + 0f;
        }
        results.output(lanes, lane, outputRow);
    }

    /** What the running maximum is taken from the scores as: −∞ − −∞ would be NaN. */
    static float shift(float max) {
        return max == Float.NEGATIVE_INFINITY ? 0 : max;
    }

    final float capped(float score) {
        return softcap * Exp.tanh(score / softcap);
    }
}
