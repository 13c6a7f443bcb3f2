package dev.attention4j;

import java.util.Arrays;

/** Arithmetic on shapes and strides, checked for overflow. */
final class Shapes {
    private Shapes() {}

    /** The largest host tensor: a Java buffer is indexed by an int. */
    static final long MAX_HOST_BYTES = Integer.MAX_VALUE - 128L;

    static long[] checked(long... shape) {
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] < 0) {
                throw new IllegalArgumentException(
                        "shape: axis " + axis + " is " + shape[axis] + ", must be 0 or more, in " + text(shape));
            }
        }
        return shape.clone();
    }

    /** As {@link #checked}, for data that must fill the shape. */
    static long[] checkedFor(int given, long... shape) {
        long[] checked = checked(shape);
        long expected = elementCount(checked);
        if (given != expected) {
            throw new IllegalArgumentException(
                    "elements: " + given + " given, must be " + expected + " for shape " + text(checked));
        }
        return checked;
    }

    static long elementCount(long... shape) {
        long count = 1;
        boolean empty = false;
        for (long size : shape) {
            empty |= size == 0;
        }
        if (empty) {
            return 0;
        }
        for (long size : shape) {
            try {
                count = Math.multiplyExact(count, size);
            } catch (ArithmeticException e) {
                throw new IllegalArgumentException("shape " + text(shape) + " has more than 2^63 elements", e);
            }
        }
        return count;
    }

    static int hostBytes(DType dtype, long... shape) {
        long count = elementCount(shape);
        if (count > MAX_HOST_BYTES / dtype.bytes()) {
            throw new IllegalArgumentException("shape " + text(shape) + " of " + dtype + " has " + count
                    + " elements; a tensor in host memory holds at most " + MAX_HOST_BYTES + " bytes ("
                    + MAX_HOST_BYTES / dtype.bytes() + " elements): split it over batch or heads");
        }
        return Math.toIntExact(count * dtype.bytes());
    }

    static long[] rowMajor(long... shape) {
        long[] strides = new long[shape.length];
        long stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            strides[axis] = stride;
            stride *= Math.max(1, shape[axis]);
        }
        return strides;
    }

    static boolean isRowMajor(long[] shape, long[] strides) {
        long expected = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] == 0) {
                return true;
            }
            if (shape[axis] != 1 && strides[axis] != expected) {
                return false;
            }
            expected *= shape[axis];
        }
        return true;
    }

    static String text(long... shape) {
        return Arrays.toString(shape);
    }
}
