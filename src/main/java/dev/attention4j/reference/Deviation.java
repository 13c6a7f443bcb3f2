package dev.attention4j.reference;

import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Locale;

/**
 * How far one tensor of a result is from the oracle, and how far plain float code is.
 *
 * @param what output, weights or log-sum-exp
 * @param error the largest |got − oracle|; infinite where only one of the two is infinite or a row that sees no key is
 *     not what it must be; NaN where only one of the two is NaN
 * @param plainError the same of {@link PlainFloatAttention}, stored in the same type
 * @param worst where it is largest, for people; empty if that is not known
 */
public record Deviation(String what, double error, double plainError, String worst) {
    /** What is allowed beyond twice the error of plain float code. */
    public static final double ALLOWANCE = 1e-6;

    /** The most that {@link #units} may be. */
    public static final double MOST_UNITS = 2;

    /** {@return the most that the error may be: twice that of plain float code, plus 10⁻⁶} */
    public double limit() {
        return MOST_UNITS * plainError + ALLOWANCE;
    }

    /** {@return true if the error is within the limit; false for NaN} */
    public boolean isAllowed() {
        return error <= limit();
    }

    /**
     * The error in units of the yardstick: error ÷ that of plain float code, to which half the allowance is added so
     * that an engine is right up to {@link #MOST_UNITS}, whatever the problem.
     *
     * @return 1 is about as exact as plain float code; NaN if the error is
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
     * Compares element by element. Where the oracle is infinite or NaN, what was got must be the same.
     *
     * @param what for people
     * @param got of an engine
     * @param oracle right, row-major, of got's shape
     * @param plain of plain float code, which is rounded to got's type here; where it is not finite it excuses nothing
     * @return the largest of all
     * @throws IllegalArgumentException if they are not equally many
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

    /**
     * The distance of two numbers: 0 for equal infinities and for two NaN.
     *
     * @param got of an engine
     * @param oracle right
     * @return NaN if only one of the two is NaN
     */
    public static double difference(double got, double oracle) {
        // Infinity - infinity is NaN, though the two are equal.
        boolean same = got == oracle || (Double.isNaN(got) && Double.isNaN(oracle));
        return same ? 0 : Math.abs(got - oracle);
    }

    /**
     * Finds an element by its place in row-major order.
     *
     * @param flat how many elements are before it
     * @param shape of the tensor
     * @return its index on each axis
     */
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
