package dev.attention4j.onnx;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The scores as far as a step, in float32, by plain Java on all cores.
 *
 * <p>Keys are transposed once for each key/value head, so that the innermost loop runs along keys, which a compiler makes
 * vectors of, and one read of a key serves a few queries.
 */
final class Scores {
    /** Queries that share the read of a key. */
    private static final int BLOCK = 4;

    private final AttentionProblem problem;
    private final float[] query;
    private final float scale;
    private final float softcap;
    private final ScoreMask mask;

    private Scores(AttentionProblem problem, Tensor query, QkMatmulOutput step) {
        Attention attention = problem.attention();
        this.problem = problem;
        this.query = query.toFloatArray();
        this.scale = (float) problem.scale();
        this.softcap =
                step == QkMatmulOutput.SCORES ? 0 : (float) attention.softcap().orElse(0);
        this.mask = step == QkMatmulOutput.MASKED ? new ScoreMask(problem) : null;
    }

    /**
     * Computes the scores of a problem.
     *
     * @param step how far: scores, softcapped or masked
     * @return [batch, queryHeads, queryLength, keyLength], float32
     */
    static Tensor compute(AttentionProblem problem, Tensor query, Tensor key, QkMatmulOutput step) {
        Tensor result = Tensor.zeros(DType.FLOAT32, problem.weightsShape());
        if (result.elementCount() == 0) {
            return result;
        }
        Scores scores = new Scores(problem, query, step);
        float[] keys = key.toFloatArray();
        FloatBuffer target = result.floats();
        int groupRows = problem.queryHeads() / problem.keyValueHeads() * problem.queryLength();
        int blocks = (groupRows + BLOCK - 1) / BLOCK;
        for (int slice = 0; slice < problem.batch() * problem.keyValueHeads(); slice++) {
            float[] transposed = scores.transposed(keys, slice);
            int firstRow = slice * groupRows;
            int endRow = firstRow + groupRows;
            IntStream.range(0, blocks).parallel().forEach(block -> {
                int row = firstRow + block * BLOCK;
                scores.block(transposed, row, Math.min(endRow, row + BLOCK), target);
            });
        }
        return result;
    }

    private float[] transposed(float[] keys, int slice) {
        int length = problem.keyLength();
        int dim = problem.headDim();
        float[] transposed = new float[dim * length];
        for (int j = 0; j < length; j++) {
            int at = (slice * length + j) * dim;
            for (int d = 0; d < dim; d++) {
                transposed[d * length + j] = keys[at + d];
            }
        }
        return transposed;
    }

    /** A row is a query of a head of a batch row, counted as they lie. */
    private void block(float[] transposed, int firstRow, int endRow, FloatBuffer target) {
        int keys = problem.keyLength();
        float[][] scores = new float[BLOCK][keys];
        int dim = problem.headDim();
        // Rows beyond the last repeat it, into scores that nobody reads.
        int[] at = new int[BLOCK];
        Arrays.setAll(at, n -> Math.min(firstRow + n, endRow - 1) * dim);
        for (int d = 0; d < dim; d++) {
            addScaled(
                    transposed,
                    d * keys,
                    scores,
                    query[at[0] + d],
                    query[at[1] + d],
                    query[at[2] + d],
                    query[at[3] + d]);
        }
        for (int row = firstRow; row < endRow; row++) {
            float[] finished = scores[row - firstRow];
            finish(finished);
            if (mask != null) {
                mask.apply(finished, row);
            }
            target.put(row * keys, finished, 0, keys);
        }
    }

    private static void addScaled(
            float[] keys, int at, float[][] scores, float query0, float query1, float query2, float query3) {
        float[] scores0 = scores[0];
        float[] scores1 = scores[1];
        float[] scores2 = scores[2];
        float[] scores3 = scores[3];
        for (int j = 0; j < scores0.length; j++) {
            float key = keys[at + j];
            scores0[j] += query0 * key;
            scores1[j] += query1 * key;
            scores2[j] += query2 * key;
            scores3[j] += query3 * key;
        }
    }

    private void finish(float... scores) {
        for (int j = 0; j < scores.length; j++) {
            float score = scale * scores[j];
            scores[j] = softcap > 0 ? softcap * (float) Math.tanh(score / softcap) : score;
        }
    }
}
