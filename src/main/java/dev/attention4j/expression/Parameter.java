package dev.attention4j.expression;

import java.util.Arrays;

/**
 * The value of a name in an expression: a number, or a table of numbers. Immutable.
 *
 * @param type int or float
 * @param words the numbers, row-major; floats by their bits
 * @param shape the size of each axis, 1 or more; none for a single number
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared, and never changed.
public record Parameter(Type type, int[] words, int... shape) {
    /** The axes: the indices that an expression must give. */
    int rank() {
        return shape.length;
    }

    String described() {
        String what = type == Type.INT ? "int" : "float";
        return rank() == 0 ? "a single " + what : "a table of " + what + "s of shape " + Arrays.toString(shape);
    }

    @Override
    public String toString() {
        if (rank() > 0) {
            return described();
        }
        return type == Type.INT ? Integer.toString(words[0]) : Float.toString(Float.intBitsToFloat(words[0]));
    }
}
