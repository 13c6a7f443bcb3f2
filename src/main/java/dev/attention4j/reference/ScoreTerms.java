package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;

/**
 * What is added to the scores of one problem and what they are limited to, read by [batch, head, query, key] whatever
 * they broadcast from.
 */
final class ScoreTerms {
    private final AttentionProblem problem;
    private final boolean[] mask;
    private final long[] maskStrides;
    private final float[] bias;
    private final long[] biasStrides;

    ScoreTerms(AttentionProblem problem) {
        this.problem = problem;
        Tensor maskTensor = problem.attention().mask().orElse(null);
        mask = maskTensor == null ? null : maskTensor.toBooleanArray();
        maskStrides = maskTensor == null
                ? null
                : maskTensor.contiguous().broadcast(problem.weightsShape()).strides();
        Tensor biasTensor = problem.attention().bias().orElse(null);
        bias = biasTensor == null ? null : biasTensor.toFloatArray();
        biasStrides = biasTensor == null
                ? null
                : biasTensor.contiguous().broadcast(problem.weightsShape()).strides();
    }

    /** Returns whether mask and bias let the query attend to a key of its range. */
    boolean allows(int batch, int head, int query, int key) {
        return (mask == null || mask[at(maskStrides, batch, head, query, key)])
                && (bias == null || bias[at(biasStrides, batch, head, query, key)] != Float.NEGATIVE_INFINITY);
    }

    /** Bias and ALiBi. */
    double bias(KeyRange range, int batch, int head, int query, int key) {
        double added = bias == null ? 0 : bias[at(biasStrides, batch, head, query, key)];
        double slope = problem.alibiSlope(range.sequence(), head);
        return slope == 0 ? added : added - slope * Math.abs((double) range.position() - key);
    }

    private static int at(long[] strides, int batch, int head, int query, int key) {
        return Math.toIntExact(batch * strides[0] + head * strides[1] + query * strides[2] + key * strides[3]);
    }
}
