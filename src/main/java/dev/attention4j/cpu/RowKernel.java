package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.spi.ScoreTerms;
import java.util.Arrays;

/**
 * Computes blocks of few query rows, as in decoding, which reads each key and value once for little arithmetic: one row
 * after another, scores by dot products, the output by vectors along its width.
 */
final class RowKernel extends BlockKernel {
    private static final int GROUP = Axpy.SUMS;

    private final float[] score = new float[KeyBlock.MOST_KEYS];
    private final float[] shift = new float[KeyBlock.MOST_KEYS];
    private final float[] scratch = new float[KeyBlock.MOST_KEYS];
    private final float[] rescale = new float[1];
    private final float[] setAsideScore = new float[KeyBlock.MOST_KEYS];
    /** The sums of a block of keys for the output of a row. */
    private final float[] blockOutput;

    private final float[] rowFactor;
    private final RunningTotal totals = new RunningTotal();
    private float[][] query = {};
    private float[][] output = {};

    RowKernel(
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            ScoreTerms terms,
            BlockTable table,
            Results results) {
        super(problem, query, key, value, terms, table, results);
        blockOutput = new float[paddedValueDim];
        rowFactor = new float[paddedValueDim];
    }

    @Override
    void begin(QueryBlock lanes) {
        if (query.length < lanes.count) {
            query = new float[lanes.count][paddedHeadDim];
            output = new float[lanes.count][paddedValueDim];
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            queries.read(lanes.batch, lanes.head[lane], lanes.query[lane], 0, headDim, query[lane]);
            Arrays.fill(output[lane], 0);
        }
    }

    @Override
    void step(QueryBlock lanes, KeyBlock keys) {
        boolean adds = adds(lanes, keys);
        for (int lane = 0; lane < lanes.count; lane++) {
            scores(query[lane], keys);
            change(lanes, lane, keys, score);
            if (adds) {
                readAddend(lanes, lane, keys);
                for (int j = 0; j < keys.count; j++) {
                    score[j] = ScoreTerms.add(score[j], addend[j]);
                }
            }
            Arrays.fill(score, keys.count, keys.paddedCount(), Float.NEGATIVE_INFINITY);
            if (results.wantsWeights()) {
                results.scores(lanes, lane, keys, score);
            }
            for (int n = 0; n < keys.setAsideCount; n++) {
                setAsideScore[n] = score[keys.setAsideRows[n]];
            }
            exponentials(lane, keys);
            if (terms.drops()) {
                drop(kept(lanes, lane, keys), keys);
            }
            addValues(output[lane], keys);
        }
    }

    private void scores(float[] q, KeyBlock keys) {
        for (int j = 0; j < keys.count; j += GROUP) {
            dots(q, keys.key[j], keys.key[j + 1], keys.key[j + 2], keys.key[j + 3], j);
        }
        for (int j = 0; j < keys.count; j++) {
            score[j] *= scale;
        }
        terms.cap(score, 0, keys.count);
    }

    /** Keeps eight sums, because each addition waits for the one before it. */
    private void dots(float[] q, float[] k0, float[] k1, float[] k2, float[] k3, int j) {
        float even0 = 0;
        float even1 = 0;
        float even2 = 0;
        float even3 = 0;
        float odd0 = 0;
        float odd1 = 0;
        float odd2 = 0;
        float odd3 = 0;
        for (int d = 0; d < q.length; d += 2) {
            float x = q[d];
            float y = q[d + 1];
            even0 = Axpy.fma(x, k0[d], even0);
            even1 = Axpy.fma(x, k1[d], even1);
            even2 = Axpy.fma(x, k2[d], even2);
            even3 = Axpy.fma(x, k3[d], even3);
            odd0 = Axpy.fma(y, k0[d + 1], odd0);
            odd1 = Axpy.fma(y, k1[d + 1], odd1);
            odd2 = Axpy.fma(y, k2[d + 1], odd2);
            odd3 = Axpy.fma(y, k3[d + 1], odd3);
        }
        score[j] = even0 + odd0;
        score[j + 1] = even1 + odd1;
        score[j + 2] = even2 + odd2;
        score[j + 3] = even3 + odd3;
    }

    private void exponentials(int lane, KeyBlock keys) {
        float newMax = max[lane];
        for (int j = 0; j < keys.count; j++) {
            newMax = Math.max(newMax, score[j]);
        }
        Arrays.fill(shift, shift(newMax));
        rescale[0] = 1;
        if (newMax != max[lane]) {
            rescale[0] = max[lane];
            Exp.shifted(rescale, shift, scratch, 0, 1);
            max[lane] = newMax;
        }
        Exp.shifted(score, shift, scratch, 0, keys.paddedCount(), powers);
        float added = 0;
        for (int j = 0; j < keys.count; j++) {
            added += score[j];
        }
        sum[lane] = Axpy.fma(sum[lane], rescale[0], added);
    }

    private void drop(boolean[] kept, KeyBlock keys) {
        for (int j = 0; j < keys.count; j++) {
            score[j] = kept[j] ? score[j] : 0;
        }
        for (int n = 0; n < keys.setAsideCount; n++) {
            setAsideScore[n] = kept[keys.setAsideRows[n]] ? setAsideScore[n] : Float.NEGATIVE_INFINITY;
        }
    }

    private void addValues(float[] sums, KeyBlock keys) {
        Arrays.fill(blockOutput, 0);
        for (int j = 0; j < keys.count; j += GROUP) {
            Axpy.oneByFour(
                    blockOutput,
                    keys.value[j],
                    keys.value[j + 1],
                    keys.value[j + 2],
                    keys.value[j + 3],
                    score[j],
                    score[j + 1],
                    score[j + 2],
                    score[j + 3]);
        }
        Axpy.multiplyAdd(sums, rescale[0], blockOutput, paddedValueDim);
        for (int n = 0; n < keys.setAsideCount; n++) {
            float weight = score[keys.setAsideRows[n]];
            float[] value = keys.setAside[n];
            boolean counts = setAsideScore[n] != Float.NEGATIVE_INFINITY;
            for (int c = 0; counts && c < value.length; c++) {
                sums[c] = Axpy.fma(weight, value[c], sums[c]);
            }
        }
    }

    @Override
    void fold(QueryBlock lanes, boolean first, float[] factor) {
        if (first) {
            totals.begin(lanes.count, paddedValueDim);
        }
        for (int lane = 0; lane < lanes.count; lane++) {
            Arrays.fill(rowFactor, factor[lane]);
            totals.add(lane, rowFactor, output[lane], paddedValueDim);
        }
    }

    @Override
    void unfold(QueryBlock lanes) {
        for (int lane = 0; lane < lanes.count; lane++) {
            totals.read(lane, output[lane], paddedValueDim);
        }
    }

    @Override
    void unscaledOutput(int lane, float[] target) {
        System.arraycopy(output[lane], 0, target, 0, target.length);
    }
}
