package dev.attention4j;

/**
 * Conversions between float and the two 16-bit formats, rounding to nearest, ties to even (IEEE 754-2019, 4.3.1).
 *
 * <p>Java 17 has no conversion of its own ({@code Float.floatToFloat16} came with Java 20).
 */
public final class Float16 {
    private Float16() {}

    /** Widens a binary16; exact for every number, including subnormals, infinities and NaN. */
    public static float toFloat(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = (half >>> 10) & 0x1F;
        int fraction = half & 0x3FF;
        if (exponent == 0) {
            // Subnormals are whole multiples of 2^-24, which a float holds exactly.
            float magnitude = fraction * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        if (exponent == 31) {
            return Float.intBitsToFloat(sign | 0x7F800000 | (fraction << 13));
        }
        return Float.intBitsToFloat(sign | ((exponent + 112) << 23) | (fraction << 13));
    }

    /** Rounds to the nearest binary16; magnitudes from 65520 on become infinite, NaN stays NaN. */
    public static short fromFloat(float number) {
        int bits = Float.floatToRawIntBits(number);
        int sign = (bits >>> 16) & 0x8000;
        int magnitude = bits & 0x7FFFFFFF;
        if (magnitude > 0x7F800000) {
            return (short) (sign | 0x7E00);
        }
        if (magnitude >= 0x477FF000) {
            return (short) (sign | 0x7C00);
        }
        if (magnitude < 0x38800000) {
            // Adding one half puts the binary16 subnormal's last bit at the float's last bit, so the adder rounds.
            float shifted = Float.intBitsToFloat(magnitude) + 0.5f;
            return (short) (sign | (Float.floatToRawIntBits(shifted) - 0x3F000000));
        }
        int rounded = magnitude + 0xFFF + ((magnitude >>> 13) & 1);
        return (short) (sign | ((rounded - 0x38000000) >>> 13));
    }

    /** Rounds to the nearest binary16 in one step: rounding to a float first could create a tie. */
    public static short fromDouble(double number) {
        return fromFloat(toOdd(number));
    }

    /** Rounds to the nearest bfloat16 in one step. */
    public static short bfloatFromDouble(double number) {
        return bfloatFromFloat(toOdd(number));
    }

    /**
     * Rounds to odd: a number between two floats becomes the one whose last bit is set, so that rounding it again meets no
     * false tie (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
     */
    private static float toOdd(double number) {
        float nearest = (float) number;
        int bits = Float.floatToRawIntBits(nearest);
        if (nearest == number || Float.isNaN(nearest) || (bits & 1) != 0) {
            return nearest;
        }
        return Float.intBitsToFloat(Math.abs(nearest) < Math.abs(number) ? bits + 1 : bits - 1);
    }

    /** Widens a bfloat16; exact. */
    public static float bfloatToFloat(short bfloat) {
        return Float.intBitsToFloat(bfloat << 16);
    }

    /** Rounds to the nearest bfloat16; NaN stays NaN. */
    public static short bfloatFromFloat(float number) {
        int bits = Float.floatToRawIntBits(number);
        if (Float.isNaN(number)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }
}
