package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.spi.PlainKeys;
import dev.attention4j.spi.ScoreTerms;
import java.util.Arrays;

/**
 * The whole operation in double precision: a loop over the queries, and one over the keys in the range of a query.
 *
 * <p>NaN and infinite values have the effect that they have in float, where weights underflow earlier: e^(score − maximum)
 * below the smallest normal float counts as 0 for an infinite value, and 0 · ∞ is NaN.
 *
 * @param output [batch, queryHeads, queryLength, valueDim], row-major
 * @param weights [batch, queryHeads, queryLength, keyLength], row-major; empty where the operation does not ask for
 *     them and they are more than {@link #MOST_UNASKED}
 * @param logSumExp [batch, queryHeads, queryLength], row-major
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of three results; they are never compared.
public record ReferenceAttention(double[] output, double[] weights, double[] logSumExp) {
    /** The most weights that are kept although the operation does not ask for them. */
    static final int MOST_UNASKED = 1 << 24;

    /**
     * Computes output, weights and log-sum-exp of a problem that agrees with its tensors.
     *
     * @throws IllegalArgumentException if output or weights do not fit an array
     */
    public static ReferenceAttention compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        if (problem.attention().pageTable().isPresent()) {
            PlainKeys plain = PlainKeys.of(problem, key, value);
            return compute(plain.problem(), query, plain.key(), plain.value());
        }
        double[] q = query.toDoubleArray();
        double[] k = key.toDoubleArray();
        double[] v = value.toDoubleArray();
        ScoreTerms terms = new ScoreTerms(problem);
        double scale = problem.scale();
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        int rows = problem.batch() * problem.queryHeads() * lq;
        double[] output = new double[length("output", rows, valueDim)];
        boolean keepsWeights = keepsWeights(problem);
        double[] weights = new double[keepsWeights ? length("weights", rows, lk) : 0];
        double[] logSumExp = new double[rows];

        for (int row = 0; row < rows; row++) {
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            KeyRange range = problem.keyRange(batch, i);
            int first = range.begin();
            int seen = range.count();
            double[] scores = new double[seen];
            double[] added = terms.read(batch, head, i, range);
            double sink = problem.sink(head);
            for (int n = 0; n < seen; n++) {
                int j = first + n;
                double dot = 0;
                for (int d = 0; d < dim && added[n] != Double.NEGATIVE_INFINITY; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                scores[n] = terms.capped(scale * dot);
            }
            terms.change(batch, head, i, range, scores);
            double max = sink;
            for (int n = 0; n < seen; n++) {
                scores[n] = added[n] == Double.NEGATIVE_INFINITY ? added[n] : scores[n] + added[n];
                max = Math.max(max, scores[n]);
            }
            logSumExp[row] = Double.NEGATIVE_INFINITY;
            if (max == Double.NEGATIVE_INFINITY) {
                continue;
            }
            double sum = Math.exp(sink - max);
            for (int n = 0; n < seen; n++) {
                sum += Math.exp(scores[n] - max);
            }
            logSumExp[row] = max + Math.log(sum);
            if (Double.isNaN(sum)) {
                // As in the textbook's softmax, a NaN among the scores is in every weight of the row.
                if (keepsWeights) {
                    Arrays.fill(weights, row * lk, (row + 1) * lk, Double.NaN);
                }
                Arrays.fill(output, row * valueDim, (row + 1) * valueDim, Double.NaN);
            }
            boolean[] kept = terms.kept(batch, head, i, first, seen);
            for (int n = 0; n < seen; n++) {
                if (scores[n] == Double.NEGATIVE_INFINITY) {
                    continue;
                }
                int j = first + n;
                double exponential = Math.exp(scores[n] - max);
                double weight = exponential / sum;
                if (keepsWeights) {
                    weights[row * lk + j] = weight;
                }
                for (int d = 0; d < valueDim && kept[n]; d++) {
                    double element = v[(slice * lk + j) * valueDim + d];
                    boolean underflows = exponential < Float.MIN_NORMAL && Double.isInfinite(element);
                    output[row * valueDim + d] += underflows ? Double.NaN : weight * terms.keptFactor() * element;
                }
            }
        }
        return new ReferenceAttention(output, weights, logSumExp);
    }

    static boolean keepsWeights(AttentionProblem problem) {
        long rows = (long) problem.batch() * problem.queryHeads() * problem.queryLength();
        return problem.attention().wantsWeights() || rows * problem.keyLength() <= MOST_UNASKED;
    }

    static int length(String what, int rows, int width) {
        long elements = (long) rows * width;
        if (elements > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(what + ": is " + rows + " rows of " + width + ", must be at most "
                    + Integer.MAX_VALUE + " elements; take fewer queries, or an engine other than the oracle");
        }
        return (int) elements;
    }
}
