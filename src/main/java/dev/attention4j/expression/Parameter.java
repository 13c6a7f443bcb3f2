package dev.attention4j.expression;

import java.util.Arrays;

/**
 * The value of a name in an expression: a number, or a table of numbers. Immutable.
 *
 * @param type int or float
 * @param words the numbers, row-major; floats by their bits
 * @param shape the size of each axis, 1 or more; none for a single number
 */
@SuppressWarnings("ArrayRecordComponent") // Never changed, and compared by their elements.
public record Parameter(Type type, int[] words, int... shape) {
    /** The words that a hash code looks at: tables may have millions, and two that differ elsewhere are still not equal. */
    private static final int HASHED_WORDS = 64;

    @Override
    public boolean equals(Object other) {
        return other instanceof Parameter parameter
                && type == parameter.type
                && Arrays.equals(shape, parameter.shape)
                && Arrays.equals(words, parameter.words);
    }

    @Override
    public int hashCode() {
        int hash = 31 * type.hashCode() + Arrays.hashCode(shape);
        int step = Math.max(1, words.length / HASHED_WORDS);
        for (int n = 0; n < words.length; n += step) {
            hash = 31 * hash + words[n];
        }
        return hash;
    }

    /** The axes: the indices that an expression must give. */
    int rank() {
        return shape.length;
    }

    /**
     * Returns where an element lies, row-major, after one more of its indices: one outside of the table becomes the nearest.
     *
     * @param before where it lies by its earlier indices; 0 for the first
     */
    int place(int before, int axis, int index) {
        return before * shape[axis] + Math.max(0, Math.min(shape[axis] - 1, index));
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
