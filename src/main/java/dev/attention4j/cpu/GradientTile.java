package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.ScoreTerms;
import dev.attention4j.spi.StridedRows;
import java.util.Arrays;

/**
 * The weights of one query and the gradients of its scores, for a tile of keys: a query's row at a time, keys side by side. For
 * one thread.
 *
 * <p>The formulas are those of {@code ReferenceGradients}.
 */
final class GradientTile {
    /** The keys of a tile. */
    static final int KEYS = 64;

    /** The inputs of a call, shared by its threads. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    record Shared(
            GradientCall call,
            ScoreTerms terms,
            ScoreTerms slopes,
            StridedRows query,
            StridedRows key,
            StridedRows value,
            StridedRows outputGradient,
            float[] logSumExp,
            float[] rest) {}

    private final Shared shared;
    private final AttentionProblem problem;
    private final boolean changes;
    private final float softcap;
    private final float scale;
    private final float keptFactor;
    /** Which weights of the row are not dropped; null if all are kept. */
    private boolean[] kept;

    private int batch;
    private int head;
    /** The first key of the tile, and their number. */
    int from;

    int count;
    /** The tile's keys, one after another; and theirs and the values' elements, those of one dim side by side. */
    final float[] keys;

    private final float[] keyColumns;
    private final float[] valueColumns;
    private final float[] element;

    /** The query of {@link #row}, and the gradient of its output. */
    final float[] query;

    final float[] outputGradient;
    /** Of each key of the tile that the query attends to: the weight of its value, and the gradients of its score and of scale · q · k. */
    final float[] weight = new float[KEYS];

    final float[] ds = new float[KEYS];
    final float[] dx = new float[KEYS];
    /** The score after softcap. */
    final float[] capped = new float[KEYS];
    /** The keys of the tile that the row may attend to begin and end here. */
    int begin;

    int end;
    KeyRange range;

    private final float[] scores = new float[KEYS];
    private final float[] added = new float[KEYS];
    private final float[] scratch = new float[KEYS];
    private final float[] slope = new float[KEYS];
    private final float[] shift = new float[KEYS];

    GradientTile(Shared shared) {
        this.shared = shared;
        problem = shared.call.problem();
        changes = shared.terms.changesScores();
        softcap = (float) problem.attention().softcap().orElse(0);
        scale = (float) problem.scale();
        keptFactor = (float) shared.terms.keptFactor();
        keys = new float[KEYS * problem.headDim()];
        keyColumns = new float[keys.length];
        valueColumns = new float[KEYS * problem.valueDim()];
        element = new float[problem.valueDim()];
        query = new float[problem.headDim()];
        outputGradient = new float[problem.valueDim()];
    }

    /** Reads the tile of keys and values from {@code firstKey} on. */
    void read(int batchRow, int keyValueHead, int firstKey) {
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        from = firstKey;
        count = Math.min(KEYS, problem.keyLength() - firstKey);
        float[] row = query;
        for (int n = 0; n < count; n++) {
            shared.key.read(batchRow, keyValueHead, from + n, 0, dim, row);
            System.arraycopy(row, 0, keys, n * dim, dim);
            for (int c = 0; c < dim; c++) {
                keyColumns[c * KEYS + n] = row[c];
            }
            shared.value.read(batchRow, keyValueHead, from + n, 0, valueDim, element);
            for (int c = 0; c < valueDim; c++) {
                valueColumns[c * KEYS + n] = element[c];
            }
        }
    }

    /**
     * Computes a query's row for the tile that was read.
     *
     * @return false if it attends to no key of the tile
     */
    boolean row(int batchRow, int queryHead, int queryRow) {
        batch = batchRow;
        head = queryHead;
        int row = (batch * problem.queryHeads() + head) * problem.queryLength() + queryRow;
        float logSumExp = shared.logSumExp[row];
        range = problem.keyRange(batch, queryRow);
        begin = Math.max(0, range.begin() - from);
        end = Math.min(count, range.end() - from);
        if (begin >= end || logSumExp == Float.NEGATIVE_INFINITY) {
            return false;
        }
        shared.query.read(batch, head, queryRow, 0, query.length, query);
        shared.outputGradient.read(batch, head, queryRow, 0, outputGradient.length, outputGradient);
        products(query, keyColumns, capped);
        for (int n = begin; n < end; n++) {
            capped[n] *= scale;
        }
        shared.terms.cap(capped, begin, end);
        System.arraycopy(capped, 0, scores, 0, count);
        change(shared.terms, queryRow, scores);
        if (shared.terms.addsAnything(true)) {
            shared.terms.read(batch, head, queryRow, range, from, count, added, scratch);
            for (int n = begin; n < end; n++) {
                scores[n] = ScoreTerms.add(scores[n], added[n]);
            }
        }
        products(outputGradient, valueColumns, ds);
        if (shared.terms.drops()) {
            kept = shared.terms.kept(batch, head, queryRow, from, count);
            for (int n = begin; n < end; n++) {
                ds[n] = kept[n] ? ds[n] * keptFactor : 0;
            }
        }
        System.arraycopy(scores, begin, weight, begin, end - begin);
        Arrays.fill(shift, begin, end, logSumExp);
        Exp.shifted(weight, shift, scratch, begin, end);
        float rest = shared.rest[row];
        if (changes) {
            System.arraycopy(capped, 0, slope, 0, count);
            change(shared.slopes, queryRow, slope);
        }
        for (int n = begin; n < end; n++) {
            ds[n] = weight[n] * (ds[n] + rest);
            float by = changes ? slope[n] : 1;
            if (softcap > 0) {
                float part = capped[n] / softcap;
                by *= 1 - part * part;
            }
            dx[n] = scale * ds[n] * by;
            weight[n] *= keptFactor;
        }
        for (int n = begin; n < end; n++) {
            if (scores[n] == Float.NEGATIVE_INFINITY) {
                weight[n] = 0;
                ds[n] = 0;
                dx[n] = 0;
            }
        }
        return true;
    }

    /** True if the value of a key that counts does. */
    boolean keeps(int n) {
        return kept == null || kept[n];
    }

    /** True if a key of the tile counts for the row: a masked one may hold anything. */
    boolean counts(int n) {
        return scores[n] != Float.NEGATIVE_INFINITY;
    }

    private void change(ScoreTerms terms, int queryRow, float[] to) {
        if (changes) {
            float[] part = begin == 0 ? to : Arrays.copyOfRange(to, begin, end);
            terms.change(batch, head, queryRow, range, from + begin, end - begin, part);
            System.arraycopy(part, 0, to, begin, end - begin);
        }
    }

    /** Products of a row with each of the tile's keys or values. */
    private void products(float[] row, float[] columns, float[] products) {
        Arrays.fill(products, 0, count, 0);
        for (int c = 0; c < row.length; c++) {
            float factor = row[c];
            int at = c * KEYS;
            for (int n = 0; n < KEYS; n++) {
                products[n] = Axpy.fma(factor, columns[at + n], products[n]);
            }
        }
    }

    /** sums[firstSum + c] += factor · row[firstElement + c]. */
    static void add(float factor, float[] row, int firstElement, float[] sums, int firstSum, int width) {
        for (int c = 0; c < width; c++) {
            sums[firstSum + c] = Axpy.fma(factor, row[firstElement + c], sums[firstSum + c]);
        }
    }
}
