package dev.attention4j.spi;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import java.util.Arrays;

/**
 * The operations on the scores, scale · query · key: softcap, then + ALiBi, + bias, then key range and mask, in float and,
 * for the oracle, in double. All but softcap are numbers to add, where −∞ means masked.
 *
 * <p>Kernels have the same in {@code opencl/common}. May be used from many threads.
 */
public final class ScoreTerms {
    private final AttentionProblem problem;
    /** 0 for none. */
    private final double softcap;

    private final Tanh tanh;
    private final StridedRows mask;
    private final StridedRows bias;
    private final boolean alibi;

    /** The hyperbolic tangent of a float. */
    @FunctionalInterface
    public interface Tanh {
        /** {@return tanh x} */
        float of(float x);
    }

    /** Reads mask and bias where they are, with Java's tanh. */
    public ScoreTerms(AttentionProblem problem) {
        this(problem, x -> (float) Math.tanh(x));
    }

    /** Reads mask and bias where they are, with an engine's own tanh in float. */
    public ScoreTerms(AttentionProblem problem, Tanh tanh) {
        this.problem = problem;
        this.tanh = tanh;
        softcap = problem.attention().softcap().orElse(0);
        mask = rows(problem, problem.attention().mask().orElse(null));
        bias = rows(problem, problem.attention().bias().orElse(null));
        alibi = problem.attention().alibiSlopes().length > 0;
    }

    private static StridedRows rows(AttentionProblem problem, Tensor tensor) {
        return tensor == null ? null : new StridedRows(tensor.broadcast(problem.weightsShape()));
    }

    /** {@return a score after softcap} */
    public double capped(double score) {
        return softcap > 0 ? softcap * Math.tanh(score / softcap) : score;
    }

    /** Applies the softcap to scores {@code from} to {@code to} − 1 in float, in place. */
    public void cap(float[] scores, int from, int to) {
        float cap = (float) softcap;
        for (int n = from; cap > 0 && n < to; n++) {
            scores[n] = cap * tanh.of(scores[n] / cap);
        }
    }

    /** {@return true if anything but key ranges is to be added} */
    public boolean addsAnything() {
        return mask != null || bias != null || alibi;
    }

    /**
     * Reads the addends of one query's scores, for {@code count} keys from {@code from} on.
     *
     * @param range the query's
     * @param target receives −∞ where the query may not attend, and any other number where it may
     * @param scratch of the same length
     */
    public void read(
            int batch, int head, int query, KeyRange range, int from, int count, float[] target, float[] scratch) {
        readBias(batch, head, query, from, count, target);
        if (alibi) {
            float slope = problem.alibiSlope(range.sequence(), head);
            int distance = range.position() - from;
            for (int n = 0; n < count; n++) {
                target[n] -= slope * Math.abs((float) (distance - n));
            }
        }
        if (mask != null) {
            mask.read(batch, head, query, from, count, scratch);
            for (int n = 0; n < count; n++) {
                target[n] = scratch[n] == 0 ? Float.NEGATIVE_INFINITY : target[n];
            }
        }
        int first = Math.min(count, Math.max(0, range.begin() - from));
        int end = Math.min(count, Math.max(first, range.end() - from));
        Arrays.fill(target, 0, first, Float.NEGATIVE_INFINITY);
        Arrays.fill(target, end, count, Float.NEGATIVE_INFINITY);
    }

    /** {@return the addends of the scores of the keys in one query's range; −∞ for masked keys} */
    public double[] read(int batch, int head, int query, KeyRange range) {
        int count = range.count();
        float[] row = new float[count];
        double[] target = new double[count];
        double slope = problem.alibiSlope(range.sequence(), head);
        readBias(batch, head, query, range.begin(), count, row);
        for (int n = 0; n < count; n++) {
            target[n] = row[n] - slope * Math.abs((double) range.position() - range.begin() - n);
        }
        if (mask != null) {
            mask.read(batch, head, query, range.begin(), count, row);
            for (int n = 0; n < count; n++) {
                target[n] = row[n] == 0 ? Double.NEGATIVE_INFINITY : target[n];
            }
        }
        return target;
    }

    private void readBias(int batch, int head, int query, int from, int count, float[] target) {
        if (bias == null) {
            Arrays.fill(target, 0, count, 0);
        } else {
            bias.read(batch, head, query, from, count, target);
        }
    }

    /** {@return the sum; −∞ for a masked score, even if the score is NaN} */
    public static float add(float score, float addend) {
        return addend == Float.NEGATIVE_INFINITY ? Float.NEGATIVE_INFINITY : score + addend;
    }
}
