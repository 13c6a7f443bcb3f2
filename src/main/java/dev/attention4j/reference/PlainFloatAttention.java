package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.spi.PlainKeys;
import dev.attention4j.spi.ScoreTerms;
import java.util.Arrays;

/**
 * Plain float code: the loops of {@link ReferenceAttention} in float. One running sum over many keys would drift, so {@value
 * #BLOCK} keys are summed one after another, and such sums pairwise. Its error against the oracle is the unit of the
 * {@link Yardstick}.
 *
 * @param output [batch, queryHeads, queryLength, valueDim], row-major
 * @param weights [batch, queryHeads, queryLength, keyLength], row-major; empty where {@link ReferenceAttention}'s are
 * @param logSumExp [batch, queryHeads, queryLength], row-major
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of three results; they are never compared.
public record PlainFloatAttention(float[] output, float[] weights, float[] logSumExp) {
    private static final int BLOCK = 64;

    /** Computes output, weights and log-sum-exp of a problem that agrees with its tensors. */
    public static PlainFloatAttention compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        return compute(problem, query, key, value, 0);
    }

    /** Computes the same with other roundings: the sums over the head dims start at {@code firstDim} and wrap around. */
    public static PlainFloatAttention compute(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, int firstDim) {
        if (problem.attention().pageTable().isPresent()) {
            PlainKeys plain = PlainKeys.of(problem, key, value);
            return compute(plain.problem(), query, plain.key(), plain.value(), firstDim);
        }
        float[] q = query.toFloatArray();
        float[] k = key.toFloatArray();
        float[] v = value.toFloatArray();
        ScoreTerms terms = new ScoreTerms(problem);
        float scale = (float) problem.scale();
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        int rows = problem.batch() * problem.queryHeads() * lq;
        float[] output = new float[ReferenceAttention.length("output", rows, valueDim)];
        boolean keepsWeights = ReferenceAttention.keepsWeights(problem);
        float[] weights = new float[keepsWeights ? ReferenceAttention.length("weights", rows, lk) : 0];
        float[] logSumExp = new float[rows];

        for (int row = 0; row < rows; row++) {
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            KeyRange range = problem.keyRange(batch, i);
            int first = range.begin();
            int seen = range.count();
            float[] scores = new float[seen];
            double[] added = terms.read(batch, head, i, range);
            float sink = problem.sink(head);
            for (int n = 0; n < seen; n++) {
                int j = first + n;
                if (added[n] == Double.NEGATIVE_INFINITY) {
                    continue;
                }
                float dot = 0;
                for (int d = firstDim; d < dim; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                for (int d = 0; d < firstDim; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                scores[n] = scale * dot;
                terms.cap(scores, n, n + 1);
            }
            terms.change(batch, head, i, range, first, seen, scores);
            float max = sink;
            for (int n = 0; n < seen; n++) {
                scores[n] =
                        added[n] == Double.NEGATIVE_INFINITY ? Float.NEGATIVE_INFINITY : scores[n] + (float) added[n];
                max = Math.max(max, scores[n]);
            }
            logSumExp[row] = Float.NEGATIVE_INFINITY;
            if (max == Float.NEGATIVE_INFINITY) {
                continue;
            }
            float[] weight = new float[seen];
            for (int n = 0; n < seen; n++) {
                weight[n] = (float) Math.exp(scores[n] - max);
            }
            float sum = (float) Math.exp(sink - max) + sum(weight, 0, seen);
            logSumExp[row] = max + (float) Math.log(sum);
            for (int n = 0; n < seen; n++) {
                weight[n] /= sum;
                if (keepsWeights) {
                    weights[row * lk + first + n] = weight[n];
                }
            }
            boolean[] kept = terms.kept(batch, head, i, first, seen);
            for (int n = 0; n < seen; n++) {
                scores[n] = kept[n] ? scores[n] : Float.NEGATIVE_INFINITY;
                weight[n] *= (float) terms.keptFactor();
            }
            float[] outputRow = new float[valueDim];
            Arrays.fill(outputRow, Float.isNaN(sum) ? sum : 0);
            sumValues(scores, weight, v, (slice * lk + first) * valueDim, 0, seen, outputRow);
            System.arraycopy(outputRow, 0, output, row * valueDim, valueDim);
        }
        return new PlainFloatAttention(output, weights, logSumExp);
    }

    private static float sum(float[] weight, int from, int to) {
        if (to - from > BLOCK) {
            int middle = (from + to) >>> 1;
            return sum(weight, from, middle) + sum(weight, middle, to);
        }
        float sum = 0;
        for (int n = from; n < to; n++) {
            sum += weight[n];
        }
        return sum;
    }

    /** Adds the weighted values of some keys, but not those of masked and dropped keys, whose score is −∞. */
    private static void sumValues(
            float[] scores, float[] weight, float[] v, int start, int from, int to, float[] sums) {
        int valueDim = sums.length;
        if (to - from > BLOCK) {
            int middle = (from + to) >>> 1;
            float[] others = new float[valueDim];
            sumValues(scores, weight, v, start, from, middle, sums);
            sumValues(scores, weight, v, start, middle, to, others);
            for (int d = 0; d < valueDim; d++) {
                sums[d] += others[d];
            }
            return;
        }
        for (int n = from; n < to; n++) {
            for (int d = 0; d < valueDim && scores[n] != Float.NEGATIVE_INFINITY; d++) {
                sums[d] += weight[n] * v[start + n * valueDim + d];
            }
        }
    }
}
