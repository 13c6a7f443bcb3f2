package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;

/**
 * Plain float code: the loops of {@link ReferenceAttention} in float, as anyone would write them. How far they are from
 * the oracle is how far a float kernel may reasonably be, and what the {@link Yardstick} measures by.
 *
 * @param output [batch, queryHeads, queryLength, valueDim], row-major
 * @param weights [batch, queryHeads, queryLength, keyLength], row-major
 * @param logSumExp [batch, queryHeads, queryLength], row-major
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of three results; nobody compares two of them.
public record PlainFloatAttention(float[] output, float[] weights, float[] logSumExp) {
    /**
     * Computes a problem.
     *
     * @param problem agrees with the tensors
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @return output, weights and log-sum-exp, whether or not the operation asks for them
     */
    public static PlainFloatAttention compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        return compute(problem, query, key, value, 0);
    }

    /**
     * The same with other roundings: the sums over the head dims begin at another dim, and go round.
     *
     * @param problem agrees with the tensors
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param firstDim 0 to headDim
     * @return output, weights and log-sum-exp, whether or not the operation asks for them
     */
    public static PlainFloatAttention compute(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, int firstDim) {
        float[] q = query.toFloatArray();
        float[] k = key.toFloatArray();
        float[] v = value.toFloatArray();
        ScoreTerms terms = new ScoreTerms(problem);
        float softcap = (float) problem.attention().softcap().orElse(0);
        float scale = (float) problem.scale();
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        int rows = problem.batch() * problem.queryHeads() * lq;
        float[] output = new float[Math.multiplyExact(rows, valueDim)];
        float[] weights = new float[Math.multiplyExact(rows, lk)];
        float[] logSumExp = new float[rows];

        for (int row = 0; row < rows; row++) {
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            float[] scores = new float[lk];
            float sink = problem.sink(head);
            float max = sink;
            for (int j = 0; j < lk; j++) {
                if (!terms.allows(batch, head, i, j)) {
                    scores[j] = Float.NEGATIVE_INFINITY;
                    continue;
                }
                float dot = 0;
                for (int d = firstDim; d < dim; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                for (int d = 0; d < firstDim; d++) {
                    dot += q[row * dim + d] * k[(slice * lk + j) * dim + d];
                }
                float score = scale * dot;
                if (softcap > 0) {
                    score = softcap * (float) Math.tanh(score / softcap);
                }
                scores[j] = score + (float) terms.bias(batch, head, i, j);
                max = Math.max(max, scores[j]);
            }
            logSumExp[row] = Float.NEGATIVE_INFINITY;
            if (max == Float.NEGATIVE_INFINITY) {
                continue;
            }
            float sum = (float) Math.exp(sink - max);
            for (int j = 0; j < lk; j++) {
                scores[j] = (float) Math.exp(scores[j] - max);
                sum += scores[j];
            }
            logSumExp[row] = max + (float) Math.log(sum);
            for (int j = 0; j < lk; j++) {
                float weight = scores[j] / sum;
                weights[row * lk + j] = weight;
                if (weight == 0) {
                    continue;
                }
                for (int d = 0; d < valueDim; d++) {
                    output[row * valueDim + d] += weight * v[(slice * lk + j) * valueDim + d];
                }
            }
        }
        return new PlainFloatAttention(output, weights, logSumExp);
    }
}
