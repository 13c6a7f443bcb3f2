package dev.attention4j.expression;

/**
 * Defines operations whose result Java, C and OpenCL C leave undefined or define differently; {@link OpenClText} prints the same.
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
 */
final class Arithmetic {
    private Arithmetic() {}

    static int divide(int a, int b) {
        return b == 0 ? 0 : a / b;
    }

    static int remainder(int a, int b) {
        return b == 0 ? 0 : a % b;
    }

    static float min(float a, float b) {
        return b < a || Float.isNaN(b) ? b : a;
    }

    static float max(float a, float b) {
        return b > a || Float.isNaN(b) ? b : a;
    }

    static double min(double a, double b) {
        return b < a || Double.isNaN(b) ? b : a;
    }

    static double max(double a, double b) {
        return b > a || Double.isNaN(b) ? b : a;
    }

    static double pow(double x, double y) {
        return x == 1 || (x == -1 && Double.isInfinite(y)) ? 1 : Math.pow(x, y);
    }

    /** Returns the bits of an operation on literals. */
    static int fold(Op op, Node... inputs) {
        if (op == Op.CHOOSE) {
            return inputs[inputs[0].bits() != 0 ? 1 : 2].bits();
        }
        int a = inputs[0].bits();
        int b = inputs.length > 1 ? inputs[1].bits() : 0;
        if (inputs[0].type() != Type.FLOAT) {
            return op == Op.TO_FLOAT ? Float.floatToIntBits(a) : ofInts(op, a, b);
        }
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        return switch (op) {
            case TO_INT -> (int) x;
            case LESS -> x < y ? 1 : 0;
            case LESS_EQUAL -> x <= y ? 1 : 0;
            case EQUAL -> x == y ? 1 : 0;
            case NOT_EQUAL -> x != y ? 1 : 0;
            default -> Float.floatToIntBits(ofFloats(op, x, y));
        };
    }

    private static int ofInts(Op op, int a, int b) {
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

    private static float ofFloats(Op op, float x, float y) {
        return switch (op) {
            case NEGATE -> -x;
            case ABS -> Math.abs(x);
            case ADD -> x + y;
            case SUBTRACT -> x - y;
            case MULTIPLY -> x * y;
            case DIVIDE -> x / y;
            case MIN -> min(x, y);
            case MAX -> max(x, y);
            case EXP -> (float) Math.exp(x);
            case LOG -> (float) Math.log(x);
            case TANH -> (float) Math.tanh(x);
            case SQRT -> (float) Math.sqrt(x);
            case POW -> (float) pow(x, y);
            case FLOOR -> (float) Math.floor(x);
            default -> throw new AssertionError(op);
        };
    }
}
