package dev.attention4j.spi;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.expression.DoubleEvaluator;
import dev.attention4j.expression.Dropout;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.FloatEvaluator;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntConsumer;

/**
 * The operations on the scores, scale · query · key: softcap, then the score expression, then + ALiBi, + bias, then key range,
 * mask and mask expression, in float and, for the oracle, in double. All but the first two are numbers to add, where −∞ means
 * masked. After the softmax, which of the weights are kept.
 *
 * <p>Kernels have the same in {@code opencl/common}. May be used from many threads.
 */
public final class ScoreTerms {
    private static final int CLASSIFIED_KEYS = 1024;

    private final AttentionProblem problem;
    /** 0 for none. */
    private final double softcap;

    private final FloatEvaluator.Tanh tanh;
    private final StridedRows mask;
    private final StridedRows bias;
    private final boolean alibi;

    private final boolean changesScores;
    private final boolean masksByExpression;
    /** Null for none. */
    private final Dropout dropout;

    /** Evaluators that no thread is using. */
    private final Queue<DoubleEvaluator> scoresInDouble = new ConcurrentLinkedQueue<>();

    private final Queue<FloatEvaluator> scoresInFloat = new ConcurrentLinkedQueue<>();
    private final Queue<FloatEvaluator> masks = new ConcurrentLinkedQueue<>();

    /** Reads mask and bias where they are, with Java's tanh. */
    public ScoreTerms(AttentionProblem problem) {
        this(problem, x -> (float) Math.tanh(x));
    }

    /** Reads mask and bias where they are, with an engine's own tanh in float. */
    public ScoreTerms(AttentionProblem problem, FloatEvaluator.Tanh tanh) {
        this.problem = problem;
        this.tanh = tanh;
        softcap = problem.attention().softcap().orElse(0);
        mask = rows(problem, problem.attention().mask().orElse(null));
        bias = rows(problem, problem.attention().bias().orElse(null));
        alibi = problem.attention().alibiSlopes().length > 0;
        changesScores = problem.attention().expressions().changeScores();
        masksByExpression = problem.attention().expressions().mask();
        dropout = problem.attention().expressions().dropout().orElse(null);
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

    /** {@return true if there is a score expression} */
    public boolean changesScores() {
        return changesScores;
    }

    /**
     * Replaces one query's scores by the values of the score expression, in place; nothing without one.
     *
     * @param range the query's
     * @param scores after softcap, of {@code count} keys from {@code from} on
     */
    public void change(int batch, int head, int query, KeyRange range, int from, int count, float[] scores) {
        if (changesScores) {
            FloatEvaluator evaluator = scoresInFloat.poll();
            if (evaluator == null) {
                evaluator = expressions().scoreInFloat(problem.queryLength(), problem.keyLength(), tanh);
            }
            int keyValueHead = problem.keyValueHead(head);
            evaluator.replace(batch, head, keyValueHead, query, range.position(), from, count, scores);
            scoresInFloat.add(evaluator);
        }
    }

    /** Does the same in double, for all keys in the query's range. */
    public void change(int batch, int head, int query, KeyRange range, double[] scores) {
        if (changesScores) {
            DoubleEvaluator evaluator = scoresInDouble.poll();
            if (evaluator == null) {
                evaluator = expressions().scoreInDouble(problem.queryLength(), problem.keyLength());
            }
            int keyValueHead = problem.keyValueHead(head);
            evaluator.replace(batch, head, keyValueHead, query, range.position(), range.begin(), range.count(), scores);
            scoresInDouble.add(evaluator);
        }
    }

    /** {@return true if weights are dropped} */
    public boolean drops() {
        return dropout != null;
    }

    /** {@return the factor of the weights that dropout keeps; 1 without dropout} */
    public double keptFactor() {
        return dropout == null ? 1 : dropout.factor();
    }

    /** {@return which weights of one query and {@code count} keys from {@code from} on are kept, the others being left out} */
    public boolean[] kept(int batch, int head, int query, int from, int count) {
        if (dropout == null) {
            boolean[] all = new boolean[count];
            Arrays.fill(all, true);
            return all;
        }
        return dropout.kept(
                expressions().place(problem.queryLength(), problem.keyLength()), batch, head, query, from, count);
    }

    private Expressions expressions() {
        return problem.attention().expressions();
    }

    /**
     * Returns whether anything but key ranges is to be added.
     *
     * @param hides false if mask and mask expression hide none of the keys in question
     */
    public boolean addsAnything(boolean hides) {
        return bias != null || alibi || (hides && (mask != null || masksByExpression));
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
        read(batch, head, query, range, from, count, true, target, scratch);
    }

    /**
     * Does the same.
     *
     * @param hides false if mask and mask expression hide none of these keys
     */
    public void read(
            int batch,
            int head,
            int query,
            KeyRange range,
            int from,
            int count,
            boolean hides,
            float[] target,
            float[] scratch) {
        readBias(batch, head, query, from, count, target);
        if (alibi) {
            float slope = problem.alibiSlope(range.sequence(), head);
            int distance = range.position() - from;
            for (int n = 0; n < count; n++) {
                target[n] -= slope * Math.abs((float) (distance - n));
            }
        }
        if (hides && mask != null) {
            mask.read(batch, head, query, from, count, scratch);
            for (int n = 0; n < count; n++) {
                target[n] = scratch[n] == 0 ? Float.NEGATIVE_INFINITY : target[n];
            }
        }
        if (hides) {
            maskByExpression(batch, head, query, range, from, count, n -> target[n] = Float.NEGATIVE_INFINITY);
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
        maskByExpression(batch, head, query, range, range.begin(), count, n -> target[n] = Double.NEGATIVE_INFINITY);
        return target;
    }

    private void maskByExpression(
            int batch, int head, int query, KeyRange range, int from, int count, IntConsumer masked) {
        if (!masksByExpression || count == 0) {
            return;
        }
        FloatEvaluator evaluator = maskEvaluator();
        int keyValueHead = problem.keyValueHead(head);
        int[] attends = evaluator.attends(batch, head, keyValueHead, query, range.position(), from, count);
        for (int n = 0; n < count; n++) {
            if (attends[n] == 0) {
                masked.accept(n);
            }
        }
        masks.add(evaluator);
    }

    private FloatEvaluator maskEvaluator() {
        FloatEvaluator evaluator = masks.poll();
        return evaluator != null
                ? evaluator
                : expressions().maskInFloat(problem.queryLength(), problem.keyLength(), tanh);
    }

    /**
     * Adds to the bits of each block of keys whether the mask lets one query attend to any key of it, {@link HiddenBlocks#SOME_SEEN},
     * and whether it hides any, {@link HiddenBlocks#SOME_UNSEEN}; and the same of the mask expression.
     */
    void classify(int batch, int head, int query, KeyRange range, int blockKeys, int[] byMask, int[] byExpression) {
        int step = Math.max(1, CLASSIFIED_KEYS / blockKeys) * blockKeys;
        float[] row = new float[mask == null ? 0 : step];
        FloatEvaluator evaluator = masksByExpression ? maskEvaluator() : null;
        for (int from = 0; from < problem.keyLength(); from += step) {
            int count = Math.min(step, problem.keyLength() - from);
            if (mask != null) {
                mask.read(batch, head, query, from, count, row);
                for (int n = 0; n < count; n++) {
                    byMask[(from + n) / blockKeys] |= row[n] != 0 ? HiddenBlocks.SOME_SEEN : HiddenBlocks.SOME_UNSEEN;
                }
            }
            if (evaluator != null) {
                int keyValueHead = problem.keyValueHead(head);
                int[] attends = evaluator.attends(batch, head, keyValueHead, query, range.position(), from, count);
                for (int n = 0; n < count; n++) {
                    byExpression[(from + n) / blockKeys] |=
                            attends[n] != 0 ? HiddenBlocks.SOME_SEEN : HiddenBlocks.SOME_UNSEEN;
                }
            }
        }
        if (evaluator != null) {
            masks.add(evaluator);
        }
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
