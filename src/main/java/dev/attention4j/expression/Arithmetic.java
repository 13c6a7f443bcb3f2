package dev.attention4j.expression;

/**
 * Defines the value of each operation for all readers: evaluators in Java call it, constants are folded by it, and {@link
 * OpenClText} prints the same.
 *
 * <ul>
 *   <li>Int sums, differences, products and negation wrap around; division and remainder truncate towards 0, and by 0 give
 *       0; the least int divided by −1 is itself, and its remainder is 0.
 *   <li>A float becomes an int by truncation; NaN becomes 0, and what is beyond int the least or largest int.
 *   <li>{@code min} and {@code max} of floats are NaN if an argument is. {@code clamp(x, low, high)} is {@code min(max(x, low),
 *       high)}.
 *   <li>{@code pow} is C's: {@code pow(1, y)}, {@code pow(x, 0)} and {@code pow(-1, infinity)} are 1, even for NaN.
 *   <li>Comparisons with NaN are false, but {@code !=} is true.
 * </ul>
 *
 * <p>Operations with one input take any second one.
 */
final class Arithmetic {
    private Arithmetic() {}

    static int divide(int a, int b) {
        return b == 0 ? 0 : a / b;
    }

    static int remainder(int a, int b) {
        return b == 0 ? 0 : a % b;
    }

    static float min(float x, float y) {
        return y < x || Float.isNaN(y) ? y : x;
    }

    static float max(float x, float y) {
        return y > x || Float.isNaN(y) ? y : x;
    }

    static double min(double x, double y) {
        return y < x || Double.isNaN(y) ? y : x;
    }

    static double max(double x, double y) {
        return y > x || Double.isNaN(y) ? y : x;
    }

    /** Returns an operation of ints and booleans, which are 1 or 0. */
    static int ofInts(Op op, int a, int b) {
        return switch (op) {
            case NEGATE -> -a;
            case NOT -> 1 - a;
            case ABS -> Math.abs(a);
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> divide(a, b);
            case REMAINDER -> remainder(a, b);
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
            case LESS -> a < b ? 1 : 0;
            case LESS_EQUAL -> a <= b ? 1 : 0;
            case EQUAL -> a == b ? 1 : 0;
            case NOT_EQUAL -> a != b ? 1 : 0;
            case AND -> a & b;
            case OR -> a | b;
            default -> throw new AssertionError(op);
        };
    }

    /** Returns an operation of floats, in double; of floats and rounded to float it is what float arithmetic gives. */
    static double ofFloats(Op op, double x, double y) {
        return switch (op) {
            case NEGATE -> -x;
            case ABS -> Math.abs(x);
            case ADD -> x + y;
            case SUBTRACT -> x - y;
            case MULTIPLY -> x * y;
            case DIVIDE -> x / y;
            case MIN -> min(x, y);
            case MAX -> max(x, y);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case TANH -> Math.tanh(x);
            case SQRT -> Math.sqrt(x);
            case POW -> x == 1 || (x == -1 && Double.isInfinite(y)) ? 1 : Math.pow(x, y);
            case FLOOR -> Math.floor(x);
            default -> throw new AssertionError(op);
        };
    }

    /** Returns an operation of floats whose result is an int or a boolean. */
    static int decide(Op op, double x, double y) {
        return switch (op) {
            case TO_INT -> (int) x;
            case LESS -> x < y ? 1 : 0;
            case LESS_EQUAL -> x <= y ? 1 : 0;
            case EQUAL -> x == y ? 1 : 0;
            case NOT_EQUAL -> x != y ? 1 : 0;
            default -> throw new AssertionError(op);
        };
    }

    /** Returns true for an operation that {@link #decide} computes. */
    static boolean isDecision(Op op) {
        return op.isComparison() || op == Op.TO_INT;
    }

    /** Returns the bits of an operation on literals. */
    static int fold(Op op, Node... inputs) {
        int a = inputs[0].bits();
        int b = inputs[Math.min(1, inputs.length - 1)].bits();
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        if (op == Op.CHOOSE) {
            return inputs[a != 0 ? 1 : 2].bits();
        }
        if (op == Op.TO_FLOAT) {
            return Float.floatToIntBits(a);
        }
        if (inputs[0].type() != Type.FLOAT) {
            return ofInts(op, a, b);
        }
        return isDecision(op) ? decide(op, x, y) : Float.floatToIntBits((float) ofFloats(op, x, y));
    }
}
