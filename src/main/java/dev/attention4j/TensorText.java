package dev.attention4j;

import java.util.StringJoiner;

/** The elements of a tensor on the host as a person reads them. */
final class TensorText {
    /** The most elements that are all written. */
    private static final int MOST_ELEMENTS = 36;

    /** Of a larger tensor, how many are written of each end. */
    private static final int EDGE = 3;

    private TensorText() {}

    /** Nested brackets of all elements, or one pair around the first and last few in row-major order. */
    static String of(Tensor tensor) {
        long count = tensor.elementCount();
        if (count <= MOST_ELEMENTS) {
            return nested(tensor, new long[tensor.rank()], 0);
        }
        StringJoiner ends = new StringJoiner(", ", "[", "]");
        for (long n = 0; n < EDGE; n++) {
            ends.add(element(tensor, index(tensor, n)));
        }
        ends.add("…");
        for (long n = count - EDGE; n < count; n++) {
            ends.add(element(tensor, index(tensor, n)));
        }
        return ends.toString();
    }

    private static String nested(Tensor tensor, long[] index, int axis) {
        if (axis == index.length) {
            return element(tensor, index);
        }
        StringJoiner parts = new StringJoiner(", ", "[", "]");
        for (long n = 0; n < tensor.size(axis) && tensor.elementCount() > 0; n++) {
            index[axis] = n;
            parts.add(nested(tensor, index, axis + 1));
        }
        return parts.toString();
    }

    /** Of the n-th element in row-major order. */
    private static long[] index(Tensor tensor, long n) {
        long[] index = new long[tensor.rank()];
        long rest = n;
        for (int axis = index.length - 1; axis >= 0; axis--) {
            index[axis] = rest % tensor.size(axis);
            rest /= tensor.size(axis);
        }
        return index;
    }

    private static String element(Tensor tensor, long... index) {
        double element = tensor.get(index);
        DType dtype = tensor.dtype();
        if (dtype == DType.BOOL) {
            return element == 0 ? "false" : "true";
        }
        if (!dtype.isFloat()) {
            return String.valueOf((long) element);
        }
        return dtype == DType.FLOAT64 ? String.valueOf(element) : String.valueOf((float) element);
    }
}
