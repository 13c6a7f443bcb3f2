package dev.attention4j.cli;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One result of an engine against the oracle: its error may be twice that of plain float loops, plus 10⁻⁶.
 *
 * @param what output, weights or log-sum-exp
 * @param error the largest difference from the oracle; NaN if a number is NaN
 * @param plainError the same of {@link PlainFloatAttention}, stored in the same type
 */
record Verification(String what, double error, double plainError) {
    /** The most that {@link #error} may be. */
    double limit() {
        return 2 * plainError + 1e-6;
    }

    /** Whether the error is a number within the limit. */
    boolean passes() {
        return Double.isFinite(error) && error <= limit();
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s: error %.2e, plain float %.2e, allowed %.2e: %s",
                what,
                error,
                plainError,
                limit(),
                passes() ? "ok" : "WRONG");
    }

    /**
     * Compares all that a result has.
     *
     * @throws IllegalArgumentException if the problem is too large for the oracle, which keeps all weights
     */
    static List<Verification> of(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, AttentionResult result) {
        checkFits(problem);
        ReferenceAttention oracle = ReferenceAttention.compute(problem, query, key, value);
        PlainFloatAttention plain = PlainFloatAttention.compute(problem, query, key, value);
        List<Verification> verifications = new ArrayList<>();
        Tensor plainOutput = Tensor.of(plain.output(), problem.outputShape()).to(problem.dtype());
        verifications.add(of("output", result.output(), plainOutput, oracle.output()));
        if (problem.attention().wantsWeights()) {
            Tensor plainWeights = Tensor.of(plain.weights(), problem.weightsShape());
            verifications.add(of("weights", result.weights(), plainWeights, oracle.weights()));
        }
        if (problem.attention().wantsLogSumExp()) {
            Tensor plainLogSumExp = Tensor.of(plain.logSumExp(), problem.logSumExpShape());
            verifications.add(of("log-sum-exp", result.logSumExp(), plainLogSumExp, oracle.logSumExp()));
        }
        return verifications;
    }

    /**
     * The largest difference of two rows of numbers; equal infinities differ by 0.
     *
     * @return NaN if a number on either side is NaN
     * @throws IllegalArgumentException if they are not equally many
     */
    static double difference(double[] got, double[] want) {
        if (got.length != want.length) {
            throw new IllegalArgumentException("got: " + got.length + " numbers, must be " + want.length);
        }
        double largest = 0;
        for (int n = 0; n < got.length; n++) {
            // Infinity - infinity is NaN, though the two are equal; a NaN is equal to nothing and stays.
            largest = Math.max(largest, got[n] == want[n] ? 0 : Math.abs(got[n] - want[n]));
        }
        return largest;
    }

    private static Verification of(String what, Tensor got, Tensor plain, double[] oracle) {
        return new Verification(
                what, difference(got.toDoubleArray(), oracle), difference(plain.toDoubleArray(), oracle));
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
