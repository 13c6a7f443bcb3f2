package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import java.util.OptionalDouble;

/**
 * The whole operation in double precision: a loop over queries, one over keys, nothing else.
 *
 * @param output [batch, queryHeads, queryLength, valueDim], row-major
 * @param weights [batch, queryHeads, queryLength, keyLength], row-major
 * @param logSumExp [batch, queryHeads, queryLength], row-major
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of three results; nobody compares two of them.
public record ReferenceAttention(double[] output, double[] weights, double[] logSumExp) {
    /**
     * Computes a problem.
     *
     * @param problem agrees with the tensors
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @return output, weights and log-sum-exp, whether or not the operation asks for them
     */
    public static ReferenceAttention compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        double[] q = query.toDoubleArray();
        double[] k = key.toDoubleArray();
        double[] v = value.toDoubleArray();
        ScoreTerms terms = new ScoreTerms(problem);
        OptionalDouble softcap = problem.attention().softcap();
        double scale = problem.scale();
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        int rows = problem.batch() * problem.queryHeads() * lq;
        double[] output = new double[Math.multiplyExact(rows, valueDim)];
        double[] weights = new double[Math.multiplyExact(rows, lk)];
        double[] logSumExp = new double[rows];

        for (int row = 0; row < rows; row++) {
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            double[] scores = new double[lk];
            double sink = problem.sink(head);
            double max = sink;
            for (int j = 0; j < lk; j++) {
                if (!terms.allows(batch, head, i, j)) {
                    scores[j] = Double.NEGATIVE_INFINITY;
                    continue;
                }
                double dot = 0;
                for (int d = 0; d < dim; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                double score = scale * dot;
                if (softcap.isPresent()) {
                    score = softcap.getAsDouble() * Math.tanh(score / softcap.getAsDouble());
                }
                scores[j] = score + terms.bias(batch, head, i, j);
                max = Math.max(max, scores[j]);
            }
            logSumExp[row] = Double.NEGATIVE_INFINITY;
            if (max == Double.NEGATIVE_INFINITY) {
                continue;
            }
            double sum = Math.exp(sink - max);
            for (int j = 0; j < lk; j++) {
                scores[j] = Math.exp(scores[j] - max);
                sum += scores[j];
            }
            logSumExp[row] = max + Math.log(sum);
            for (int j = 0; j < lk; j++) {
                double weight = scores[j] / sum;
                weights[row * lk + j] = weight;
                if (weight == 0) {
                    continue;
                }
                for (int d = 0; d < valueDim; d++) {
                    output[row * valueDim + d] += weight * v[(slice * lk + j) * valueDim + d];
                }
            }
        }
        return new ReferenceAttention(output, weights, logSumExp);
    }
}
