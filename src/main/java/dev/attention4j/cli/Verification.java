package dev.attention4j.cli;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import java.util.List;
import java.util.Locale;

/** Results of an engine against the oracle, by the {@link Yardstick}. */
final class Verification {
    private Verification() {}

    /**
     * Compares all that a result has.
     *
     * @throws IllegalArgumentException if the problem is too large for the oracle, which keeps all weights
     */
    static List<Deviation> of(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, AttentionResult result) {
        checkFits(problem);
        return Yardstick.of(query, key, value, problem.attention()).measure(result, problem.attention());
    }

    /**
     * The largest difference of two rows of numbers, by {@link Deviation#difference}; NaN if only one of two numbers is
     * NaN.
     */
    static double difference(double[] got, double[] want) {
        if (got.length != want.length) {
            throw new IllegalArgumentException("got: " + got.length + " numbers, must be " + want.length);
        }
        double largest = 0;
        for (int n = 0; n < got.length; n++) {
            largest = Math.max(largest, Deviation.difference(got[n], want[n]));
        }
        return largest;
    }

    private static void checkFits(AttentionProblem problem) {
        double weights = (double) problem.batch() * problem.queryHeads() * problem.queryLength() * problem.keyLength();
        // Double and float weights at once, and as much again for copies where they were asked for.
        double bytes =
                weights * (Double.BYTES + Float.BYTES) * (problem.attention().wantsWeights() ? 2 : 1);
        long heap = Runtime.getRuntime().maxMemory();
        if (weights > Integer.MAX_VALUE - 8 || bytes > 0.7 * heap) {
            throw new IllegalArgumentException(String.format(
                    Locale.ROOT,
                    "--verify: the oracle keeps all %.3g weights (%.1f GiB), Java's heap is %.1f GiB;"
                            + " verify a shorter part, or give more with java -Xmx",
                    weights,
                    bytes / (1L << 30),
                    (double) heap / (1L << 30)));
        }
    }
}
