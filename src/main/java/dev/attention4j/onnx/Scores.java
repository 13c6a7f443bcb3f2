package dev.attention4j.onnx;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.spi.ScoreTerms;
import java.nio.FloatBuffer;
import java.util.stream.IntStream;

/**
 * Computes the scores up to a step, in float32, by plain Java on all cores.
 *
 * <p>Keys are transposed once for each key/value head, so that the innermost loop runs along keys and one read of a key
 * serves a few queries. HotSpot vectorises it only if each row is an array of its own, and for no more rows than here.
 */
final class Scores {
    /** Queries that share the read of a key. */
    private static final int BLOCK = 4;

    /** Keys at a time, so that the scores of a block of queries stay in the first cache. */
    private static final int TILE = 512;

    private final AttentionProblem problem;
    private final float[] query;
    private final float scale;
    private final QkMatmulOutput step;
    private final ScoreTerms terms;

    private Scores(AttentionProblem problem, Tensor query, QkMatmulOutput step) {
        this.problem = problem;
        this.query = query.toFloatArray();
        this.scale = (float) problem.scale();
        this.step = step;
        this.terms = new ScoreTerms(problem);
    }

    /**
     * Computes the scores of a problem.
     *
     * @param step the last one: any but the weights
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
            float[][] transposed = scores.transposed(keys, slice);
            int firstRow = slice * groupRows;
            int endRow = firstRow + groupRows;
            IntStream.range(0, blocks).parallel().forEach(block -> {
                int row = firstRow + block * BLOCK;
                scores.block(transposed, row, Math.min(endRow, row + BLOCK), target);
            });
        }
        return result;
    }

    /** Returns a row for each dim, and one of zeros if their number is odd, because they are read in pairs. */
    private float[][] transposed(float[] keys, int slice) {
        int length = problem.keyLength();
        int dim = problem.headDim();
        float[][] transposed = new float[dim + dim % 2][length];
        for (int j = 0; j < length; j++) {
            int at = (slice * length + j) * dim;
            for (int d = 0; d < dim; d++) {
                transposed[d][j] = keys[at + d];
            }
        }
        return transposed;
    }

    /** Computes the scores of some rows; a row is a query of a head of a batch row, in the order of the tensor. */
    private void block(float[][] transposed, int firstRow, int endRow, FloatBuffer target) {
        int keys = problem.keyLength();
        float[][] queries = new float[BLOCK][transposed.length];
        for (int row = firstRow; row < endRow; row++) {
            int dim = problem.headDim();
            System.arraycopy(query, row * dim, queries[row - firstRow], 0, dim);
        }
        float[][] scores = new float[BLOCK][keys];
        for (int from = 0; from < keys; from += TILE) {
            int to = Math.min(keys, from + TILE);
            for (int d = 0; d < transposed.length; d += 2) {
                addProducts(scores, transposed[d], transposed[d + 1], queries, d, from, to);
            }
        }
        for (int row = firstRow; row < endRow; row++) {
            float[] finished = scores[row - firstRow];
            finish(finished, row);
            target.put(row * keys, finished, 0, keys);
        }
    }

    /** Adds scores += queries[d] · keys of dim d + queries[d + 1] · those of dim d + 1. */
    private static void addProducts(
            float[][] scores, float[] keys, float[] nextKeys, float[][] queries, int d, int from, int to) {
        float[] scores0 = scores[0];
        float[] scores1 = scores[1];
        float[] scores2 = scores[2];
        float[] scores3 = scores[3];
        float query0 = queries[0][d];
        float query1 = queries[1][d];
        float query2 = queries[2][d];
        float query3 = queries[3][d];
        float next0 = queries[0][d + 1];
        float next1 = queries[1][d + 1];
        float next2 = queries[2][d + 1];
        float next3 = queries[3][d + 1];
        for (int j = from; j < to; j++) {
            float key = keys[j];
            float next = nextKeys[j];
            scores0[j] += query0 * key + next0 * next;
            scores1[j] += query1 * key + next1 * next;
            scores2[j] += query2 * key + next2 * next;
            scores3[j] += query3 * key + next3 * next;
        }
    }

    private void finish(float[] scores, int row) {
        for (int j = 0; j < scores.length; j++) {
            scores[j] *= scale;
        }
        if (step != QkMatmulOutput.SCORES) {
            terms.cap(scores, 0, scores.length);
        }
        if (step == QkMatmulOutput.MASKED) {
            int query = row % problem.queryLength();
            int head = row / problem.queryLength() % problem.queryHeads();
            int batch = row / problem.queryLength() / problem.queryHeads();
            float[] added = new float[scores.length];
            KeyRange range = problem.keyRange(batch, query);
            terms.read(batch, head, query, range, 0, scores.length, added, new float[scores.length]);
            for (int j = 0; j < scores.length; j++) {
                scores[j] = ScoreTerms.add(scores[j], added[j]);
            }
        }
    }
}
