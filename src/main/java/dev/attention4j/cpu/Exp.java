package dev.attention4j.cpu;

/**
 * e to the power of numbers that are 0 or less, and tanh, in float.
 *
 * <p>{@code Math.exp} works on one double at a time. Here x is split into k·ln 2 + f, and e^f is a polynomial of degree
 * 7 (the coefficients of {@code expf} in the Cephes library, S. Moshier): within 2 units in the last place. HotSpot
 * turns the first loop into vector instructions; only the last step, times 2^k, is scalar.
 */
@SuppressWarnings("FloatingPointLiteralPrecision") // The digits are those of the source; the compiler rounds them.
final class Exp {
    /** Smaller x give 0; e^x is near the smallest normal float here. */
    private static final float LEAST = -87.5f;

    private static final float LOG2_E = 1.44269504f;
    /** ln 2 in two parts; k times the first, of 10 bits, is exact. */
    private static final float LN2_HIGH = 0.693359375f;

    private static final float LN2_LOW = -2.12194440e-4f;
    /**
     * 1.5 · 2^23: a float this large has no fraction bits, so adding it rounds to an integer, and the sum's last bits
     * are that integer. A cast to int takes three times as long, because Java demands more of it than processors do.
     */
    private static final float ROUND = 12582912f;

    private static final float[] POWERS = powers(0);

    private Exp() {}

    /**
     * The table for {@link #shifted}: 2^(k − halvings) at [k mod 128] for k of −127 to 0; 0 where a product with it would
     * not be a normal number.
     */
    static float[] powers(int halvings) {
        float[] powers = new float[128];
        for (int k = -125 + halvings; k <= 0; k++) {
            powers[k & 127] = Math.scalb(1f, k - halvings);
        }
        return powers;
    }

    /**
     * Replaces x by 2^−halvings · e^(x − shift) from {@code from} to {@code to} − 1, for x ≤ shift, where no shift is −∞.
     * x = −∞ gives exactly 0, x = shift exactly 2^−halvings; NaN stays NaN.
     *
     * @param k scratch memory of the same length
     * @param powers from {@link #powers}
     */
    static void shifted(float[] x, float[] shift, float[] k, int from, int to, float[] powers) {
        for (int r = from; r < to; r++) {
            float power = Math.max(x[r] - shift[r], LEAST);
            float rounded = power * LOG2_E + ROUND;
            k[r] = rounded;
            x[r] = polynomial(remainder(power, rounded - ROUND));
        }
        for (int r = from; r < to; r++) {
            x[r] *= power(k[r], powers);
        }
    }

    /** Replaces x by e^(x − shift): as above with 0 halvings. */
    static void shifted(float[] x, float[] shift, float[] k, int from, int to) {
        shifted(x, shift, k, from, to, POWERS);
    }

    private static float remainder(float power, float k) {
        return Axpy.fma(k, -LN2_LOW, Axpy.fma(k, -LN2_HIGH, power));
    }

    /** 2^k of k + {@link #ROUND}. */
    private static float power(float rounded, float[] powers) {
        return powers[Float.floatToRawIntBits(rounded) & 127];
    }

    private static float polynomial(float f) {
        float p = Axpy.fma(1.9875691500e-4f, f, 1.3981999507e-3f);
        p = Axpy.fma(p, f, 8.3334519073e-3f);
        p = Axpy.fma(p, f, 4.1665795894e-2f);
        p = Axpy.fma(p, f, 1.6666665459e-1f);
        p = Axpy.fma(p, f, 5.0000001201e-1f);
        return Axpy.fma(p, f * f, f) + 1;
    }

    /** e^x for one x of 0 or less, bit for bit as {@link #shifted}. */
    static float of(float x) {
        float power = Math.max(x, LEAST);
        float rounded = power * LOG2_E + ROUND;
        return polynomial(remainder(power, rounded - ROUND)) * power(rounded, POWERS);
    }

    /** The hyperbolic tangent, within 3 units in the last place; NaN stays NaN. */
    static float tanh(float x) {
        float size = Math.abs(x);
        if (size < 0.625f) {
            // Near 0 the quotient below would lose digits; these coefficients are Cephes' as well.
            float z = x * x;
            float p = Axpy.fma(-5.70498872745e-3f, z, 2.06390887954e-2f);
            p = Axpy.fma(p, z, -5.37397155531e-2f);
            p = Axpy.fma(p, z, 1.33314422036e-1f);
            p = Axpy.fma(p, z, -3.33332819422e-1f);
            return Axpy.fma(p * z, x, x);
        }
        float e = of(-2 * size);
        return Math.copySign((1 - e) / (1 + e), x);
    }
}
