package dev.attention4j.spi;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.expression.DoubleEvaluator;
import dev.attention4j.expression.Expressions;
import java.util.Arrays;
import java.util.List;

/**
 * Sums the gradient of a parameter of the score expression, a number or a table, in double: over all places where the expression
 * reads it, the gradients of the scores times the derivative by what is read. For one thread.
 */
public final class ParameterGradient {
    private record Read(DoubleEvaluator read, DoubleEvaluator derivative) {}

    private final AttentionProblem problem;
    private final List<Read> reads;
    private final double[] sums;
    private final double[] sizes;

    /** Starts with sums of 0. */
    public ParameterGradient(AttentionProblem problem, String name) {
        this.problem = problem;
        Expressions expressions = problem.attention().expressions();
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        reads = expressions.reads(name).stream()
                .map(read -> new Read(
                        read.read().scoreInDouble(lq, lk), read.derivative().scoreInDouble(lq, lk)))
                .toList();
        sums = new double[Arrays.stream(expressions.shape(name)).reduce(1, Math::multiplyExact)];
        sizes = new double[sums.length];
    }

    /**
     * Adds what some consecutive keys of one query contribute.
     *
     * @param range the query's
     * @param scores after softcap, of {@code count} keys from {@code from} on
     * @param ds the gradients of the scores after the expression; a key whose gradient is 0 contributes nothing
     */
    public void add(int batch, int head, int query, KeyRange range, int from, int count, double[] scores, double[] ds) {
        if (count == 0) {
            return;
        }
        int keyValueHead = problem.keyValueHead(head);
        for (Read read : reads) {
            double[] by = Arrays.copyOf(scores, count);
            read.derivative.replace(batch, head, keyValueHead, query, range.position(), from, count, by);
            int[] places = read.read.places(batch, head, keyValueHead, query, range.position(), from, count);
            for (int n = 0; n < count; n++) {
                if (ds[n] != 0) {
                    sums[places[n]] += ds[n] * by[n];
                    sizes[places[n]] += Math.abs(ds[n] * by[n]);
                }
            }
        }
    }

    /** {@return the sums, in the order of the parameter's elements} */
    public double[] sums() {
        return sums;
    }

    /** {@return the sums of the absolute values of what was added: rounding errors are in proportion to them} */
    public double[] sizes() {
        return sizes;
    }
}
