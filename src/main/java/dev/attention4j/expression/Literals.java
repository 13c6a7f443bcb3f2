package dev.attention4j.expression;

/** Literals as text. */
final class Literals {
    private Literals() {}

    /** Returns a literal that is not negative, or a name of one, as the language has it. */
    static String text(Type type, int bits) {
        return switch (type) {
            case BOOLEAN -> bits != 0 ? "true" : "false";
            // Only after a minus sign; the number itself is no int.
            case INT -> bits == Integer.MIN_VALUE ? "2147483648" : Integer.toString(bits);
            case FLOAT -> {
                float number = Float.intBitsToFloat(bits);
                yield Float.isInfinite(number)
                        ? "infinity"
                        : Float.toString(number).replace('E', 'e');
            }
        };
    }

    /** Returns any number as OpenCL C has it, in parentheses if negative; a boolean as 1 or 0. */
    static String openCl(Type type, int bits) {
        if (type != Type.FLOAT) {
            return bits == Integer.MIN_VALUE ? "(-2147483647 - 1)" : bits < 0 ? "(" + bits + ")" : "" + bits;
        }
        float number = Float.intBitsToFloat(bits);
        if (Float.isNaN(number)) {
            return "NAN";
        }
        if (Float.isInfinite(number)) {
            return number > 0 ? "INFINITY" : "(-INFINITY)";
        }
        String text = Float.toString(number).replace('E', 'e') + "f";
        return text.startsWith("-") ? "(" + text + ")" : text;
    }
}
