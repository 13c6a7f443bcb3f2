package dev.attention4j.reference;

import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Locale;

/**
 * The error of one tensor of a result against the oracle, and that of plain float code.
 *
 * @param what output, weights or log-sum-exp
 * @param error the largest |got − oracle|; infinite if only one of the two is infinite or a row with no key is not
 *     exactly right; NaN if only one of the two is NaN
 * @param plainError the error of {@link PlainFloatAttention}, stored in the same type
 * @param worst the element with the largest error, for people; empty if unknown
 */
public record Deviation(String what, double error, double plainError, String worst) {
    /** The error that is allowed in addition to twice that of plain float code. */
    public static final double ALLOWANCE = 1e-6;

    /** The largest {@link #units} that are allowed. */
    public static final double MOST_UNITS = 2;

    /** {@return the largest error that is allowed: twice that of plain float code, plus 10⁻⁶} */
    public double limit() {
        return MOST_UNITS * plainError + ALLOWANCE;
    }

    /** {@return true if the error is within the limit; false for NaN} */
    public boolean isAllowed() {
        return error <= limit();
    }

    /**
     * Returns the error in units of the yardstick: error ÷ (error of plain float code + half the allowance), so that an engine
     * is right up to {@link #MOST_UNITS}. 1 is about as exact as plain float code; NaN if the error is NaN.
     */
    public double units() {
        return error / (plainError + ALLOWANCE / MOST_UNITS);
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
                isAllowed() ? "ok" : worst.isEmpty() ? "WRONG" : "WRONG, " + worst);
    }

    /**
     * Compares element by element and keeps the largest error. Where the oracle is infinite or NaN, the result must be too.
     *
     * @param what names the tensor for people
     * @param got the result of an engine
     * @param oracle row-major, of got's shape
     * @param plain of plain float code, rounded to got's type here; elements that are not finite allow no error
     * @throws IllegalArgumentException if the numbers of elements differ
     */
    public static Deviation of(String what, Tensor got, double[] oracle, float[] plain) {
        double[] elements = got.toDoubleArray();
        if (elements.length != oracle.length || plain.length != oracle.length) {
            throw new IllegalArgumentException(what + ": " + elements.length + " numbers, the oracle's are "
                    + oracle.length + " and plain code's " + plain.length + ", must be equally many");
        }
        double[] stored = Tensor.of(plain, got.shape()).to(got.dtype()).toDoubleArray();
        double plainError = 0;
        double error = 0;
        int worst = -1;
        for (int n = 0; n < oracle.length; n++) {
            if (Double.isFinite(oracle[n]) && Double.isFinite(stored[n])) {
                plainError = Math.max(plainError, Math.abs(stored[n] - oracle[n]));
            }
            double here = difference(elements[n], oracle[n]);
            if (!(here <= error) && !Double.isNaN(error)) {
                error = here;
                worst = n;
            }
        }
        return new Deviation(
                what,
                error,
                plainError,
                worst < 0
                        ? ""
                        : "at " + Arrays.toString(index(worst, got.shape())) + ": got " + (float) elements[worst]
                                + ", oracle " + (float) oracle[worst]);
    }

    /** Returns the distance of two numbers: 0 for equal infinities and for two NaN, NaN if only one of them is NaN. */
    public static double difference(double got, double oracle) {
        // Infinity - infinity is NaN, though the two are equal.
        boolean same = got == oracle || (Double.isNaN(got) && Double.isNaN(oracle));
        return same ? 0 : Math.abs(got - oracle);
    }

    /** Returns the index on each axis of the element that has {@code flat} elements before it in row-major order. */
    public static long[] index(int flat, long... shape) {
        long[] index = new long[shape.length];
        long rest = flat;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        return index;
    }
}
