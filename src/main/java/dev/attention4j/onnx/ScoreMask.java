package dev.attention4j.onnx;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;

/** Adds the bias of a problem to rows of scores, and sets to −∞ what a query may not attend to. */
final class ScoreMask {
    private final AttentionProblem problem;
    private final boolean[] mask;
    private final int[] maskStrides;
    private final float[] bias;
    private final int[] biasStrides;

    ScoreMask(AttentionProblem problem) {
        this.problem = problem;
        Tensor given = problem.attention().mask().orElse(null);
        mask = given == null ? new boolean[] {true} : given.toBooleanArray();
        maskStrides = strides(given);
        given = problem.attention().bias().orElse(null);
        bias = given == null ? new float[] {0} : given.toFloatArray();
        biasStrides = strides(given);
    }

    /**
     * Masks one row.
     *
     * @param scores a number for each key
     * @param row of [batch, queryHeads, queryLength], as they lie
     */
    void apply(float[] scores, int row) {
        int queryIndex = row % problem.queryLength();
        int head = row / problem.queryLength() % problem.queryHeads();
        int batchRow = row / problem.queryLength() / problem.queryHeads();
        int maskAt = batchRow * maskStrides[0] + head * maskStrides[1] + queryIndex * maskStrides[2];
        int biasAt = batchRow * biasStrides[0] + head * biasStrides[1] + queryIndex * biasStrides[2];
        KeyRange range = problem.keyRange(batchRow, queryIndex);
        for (int j = 0; j < scores.length; j++) {
            float added = bias[biasAt + j * biasStrides[3]];
            boolean seen = range.contains(j) && mask[maskAt + j * maskStrides[3]];
            // A masked score is −∞ whatever it was, NaN included.
            scores[j] = seen && added != Float.NEGATIVE_INFINITY ? scores[j] + added : Float.NEGATIVE_INFINITY;
        }
    }

    /** Row-major strides of the four axes, right-aligned, 0 where an axis is repeated. */
    private static int[] strides(Tensor tensor) {
        int[] strides = new int[4];
        int stride = 1;
        for (int axis = 1; tensor != null && axis <= tensor.rank(); axis++) {
            int size = Math.toIntExact(tensor.size(-axis));
            strides[4 - axis] = size == 1 ? 0 : stride;
            stride *= size;
        }
        return strides;
    }
}
