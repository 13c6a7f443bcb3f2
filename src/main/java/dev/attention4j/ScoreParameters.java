package dev.attention4j;

import dev.attention4j.expression.Parameter;
import dev.attention4j.expression.Type;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The values of the names in a {@link ScoreExpression}: numbers, and tables of one to four axes. Immutable; each {@code with}
 * returns another. Elements are copied, so that later changes of an array or tensor change nothing.
 *
 * <p>A new value is a kernel's argument: it builds no new kernel.
 */
public final class ScoreParameters {
    /** No names. */
    public static final ScoreParameters NONE = new ScoreParameters(new TreeMap<>());

    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,63}");

    private final Map<String, Parameter> values;

    private ScoreParameters(Map<String, Parameter> values) {
        this.values = values;
    }

    /** {@return the names, in alphabetical order} */
    public Set<String> names() {
        return Collections.unmodifiableSet(values.keySet());
    }

    /** The values by name. */
    Map<String, Parameter> values() {
        return values;
    }

    /** Returns these and an int. */
    public ScoreParameters with(String name, int value) {
        return with(name, new Parameter(Type.INT, new int[] {value}));
    }

    /**
     * Returns these and a float.
     *
     * @param value rounded to float32
     * @throws IllegalArgumentException if it is finite and no float is near
     */
    public ScoreParameters with(String name, double value) {
        if (Double.isFinite(value) && Float.isInfinite((float) value)) {
            throw new IllegalArgumentException(name + ": " + value + ", must be at most " + Float.MAX_VALUE);
        }
        return with(name, new Parameter(Type.FLOAT, new int[] {Float.floatToIntBits((float) value)}));
    }

    /**
     * Returns these and a table of ints.
     *
     * @param elements row-major
     * @param shape the size of each axis; none for one axis
     * @throws IllegalArgumentException if the shape has not as many elements, more than four axes, or an axis of size 0
     */
    public ScoreParameters with(String name, int[] elements, long... shape) {
        return table(name, Type.INT, elements.clone(), shape.length == 0 ? new long[] {elements.length} : shape);
    }

    /**
     * Returns these and a table of floats.
     *
     * @param elements row-major
     * @param shape the size of each axis; none for one axis
     * @throws IllegalArgumentException if the shape has not as many elements, more than four axes, or an axis of size 0
     */
    public ScoreParameters with(String name, float[] elements, long... shape) {
        return table(name, Type.FLOAT, bits(elements), shape.length == 0 ? new long[] {elements.length} : shape);
    }

    /**
     * Returns these and a table: of floats if the tensor's type is a float's, else of ints, booleans as 1 and 0. A tensor
     * without axes is a single number.
     *
     * @param tensor of at most four axes, on the host or a device
     * @throws IllegalArgumentException if it has more axes, an axis of size 0, or an INT64 that is no int
     */
    public ScoreParameters with(String name, Tensor tensor) {
        Objects.requireNonNull(tensor, name);
        boolean floats = tensor.dtype().isFloat() || tensor.dtype().isQuantized();
        int[] words = floats ? bits(tensor.toFloatArray()) : ints(name, tensor.toDoubleArray());
        return tensor.rank() == 0
                ? with(name, new Parameter(floats ? Type.FLOAT : Type.INT, words))
                : table(name, floats ? Type.FLOAT : Type.INT, words, tensor.shape());
    }

    private static int[] bits(float... elements) {
        int[] bits = new int[elements.length];
        Arrays.setAll(bits, n -> Float.floatToIntBits(elements[n]));
        return bits;
    }

    private static int[] ints(String name, double... elements) {
        int[] ints = new int[elements.length];
        for (int n = 0; n < ints.length; n++) {
            ints[n] = (int) elements[n];
            if (ints[n] != elements[n]) {
                throw new IllegalArgumentException(name + ": element " + n + " is " + String.format("%.0f", elements[n])
                        + ", must be an int of 32 bits");
            }
        }
        return ints;
    }

    private ScoreParameters table(String name, Type type, int[] words, long... shape) {
        long count = 1;
        boolean empty = false;
        for (long size : shape) {
            empty |= size < 1;
            count = size < 1 || count > Integer.MAX_VALUE ? count : count * size;
        }
        if (empty || shape.length > 4 || count != words.length) {
            throw new IllegalArgumentException(name + ": " + words.length + " elements of shape "
                    + Arrays.toString(shape)
                    + ", must have at most 4 axes, none of them empty, and as many elements as these");
        }
        return with(
                name,
                new Parameter(
                        type,
                        words,
                        Arrays.stream(shape).mapToInt(Math::toIntExact).toArray()));
    }

    private ScoreParameters with(String name, Parameter parameter) {
        if (!NAME.matcher(Objects.requireNonNull(name, "name")).matches()) {
            throw new IllegalArgumentException(
                    "name: must be a letter or _, and at most 63 letters, digits or _ after it");
        }
        Map<String, Parameter> more = new TreeMap<>(values);
        more.put(name, parameter);
        return new ScoreParameters(more);
    }

    @Override
    public String toString() {
        return values.toString();
    }
}
