package dev.attention4j;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.LongConsumer;

/**
 * The places of a tensor's elements in its memory: element [i, j, …] is at offset + i · strides[0] + j · strides[1] + …,
 * counted in elements. A view is another layout over the same memory. Immutable.
 *
 * <p>Of a quantized type every row begins with a group, so that rows are padded; their axis stays the last, whole.
 */
final class TensorLayout {
    /** The largest host tensor: a Java buffer is indexed by an int. */
    static final long MAX_HOST_BYTES = Integer.MAX_VALUE - 128L;

    final long[] shape;
    final long[] strides;
    final long offset;

    /** The elements of the whole memory, after which there are their scales; −1 for a type without. */
    final long scaled;

    private TensorLayout(long[] shape, long[] strides, long offset, long scaled) {
        this.shape = shape;
        this.strides = strides;
        this.offset = offset;
        this.scaled = scaled;
    }

    /** Returns the layout of consecutive rows from the memory's start, the last axis fastest. */
    static TensorLayout rowMajor(DType dtype, long... shape) {
        long scaled = dtype.isQuantized() ? storedCount(dtype, shape) : -1;
        return new TensorLayout(shape.clone(), rowMajorStrides(scaled >= 0, shape), 0, scaled);
    }

    /** Returns the number of elements that memory has for a shape. */
    static long storedCount(DType dtype, long... shape) {
        if (!dtype.isQuantized()) {
            return elementCount(shape);
        }
        if (shape.length == 0) {
            throw new IllegalArgumentException(
                    "shape: no axis, must have a last one for " + dtype + ", which groups its elements");
        }
        long[] padded = shape.clone();
        padded[shape.length - 1] = dtype.paddedWidth(shape[shape.length - 1]);
        return elementCount(padded);
    }

    int rank() {
        return shape.length;
    }

    /** As {@link Tensor#size}. */
    long size(int axis) {
        return shape[fromFront(axis)];
    }

    /** Returns the number from 0 of an axis that may be counted from the end, as −1. */
    private int fromFront(int axis) {
        int fromFront = axis < 0 ? axis + shape.length : axis;
        if (fromFront < 0 || fromFront >= shape.length) {
            throw new IndexOutOfBoundsException("axis: " + axis + ", must be " + -shape.length + " to "
                    + (shape.length - 1) + " for the shape " + Arrays.toString(shape));
        }
        return fromFront;
    }

    long elementCount() {
        return elementCount(shape);
    }

    /** Returns the number of elements from the first to the last, including gaps. */
    long span() {
        if (elementCount() == 0) {
            return 0;
        }
        long span = 1;
        for (int axis = 0; axis < shape.length; axis++) {
            span += (shape[axis] - 1) * strides[axis];
        }
        return scaled < 0 ? span : (span + Quantization.GROUP - 1) / Quantization.GROUP * Quantization.GROUP;
    }

    /** Returns the same layout for memory that begins with the first element. */
    TensorLayout atStart() {
        return new TensorLayout(shape, strides, 0, scaled);
    }

    boolean isRowMajor() {
        if (scaled >= 0) {
            // Without the scales of other rows in between.
            return elementCount() == 0
                    || (Arrays.equals(strides, rowMajorStrides(true, shape))
                            && elementCount() / width() * strideOfRows() == scaled);
        }
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

    /** As {@link Tensor#permute}. */
    TensorLayout permute(int... axes) {
        boolean[] seen = new boolean[shape.length];
        boolean valid = axes.length == shape.length;
        for (int n = 0; valid && n < axes.length; n++) {
            valid = axes[n] >= 0 && axes[n] < shape.length && !seen[axes[n]];
            if (valid) {
                seen[axes[n]] = true;
            }
        }
        if (!valid) {
            throw new IllegalArgumentException("axes: " + Arrays.toString(axes) + ", must name each of the axes 0 to "
                    + (shape.length - 1) + " once");
        }
        long[] newShape = new long[axes.length];
        long[] newStrides = new long[axes.length];
        for (int n = 0; n < axes.length; n++) {
            newShape[n] = shape[axes[n]];
            newStrides[n] = strides[axes[n]];
        }
        refuseAnotherWidth(
                "axes",
                axes.length > 0 && axes[axes.length - 1] == axes.length - 1,
                Arrays.stream(axes).asLongStream().toArray());
        return new TensorLayout(newShape, newStrides, offset, scaled);
    }

    /** As {@link Tensor#slice}. */
    TensorLayout slice(int axis, long from, long to) {
        int at = fromFront(axis);
        if (from < 0 || from > to || to > shape[at]) {
            throw new IllegalArgumentException("from, to: " + from + ", " + to + ", must be in order and within 0 to "
                    + shape[at] + " on axis " + axis);
        }
        long[] newShape = shape.clone();
        newShape[at] = to - from;
        refuseAnotherWidth("from, to", at < shape.length - 1 || newShape[at] == shape[at], from, to);
        // An empty view keeps the offset: offsets of empty views could add up to a place outside of the memory.
        long start = elementCount(newShape) == 0 ? offset : offset + from * strides[at];
        return new TensorLayout(newShape, strides, start, scaled);
    }

    /** As {@link Tensor#broadcast}. */
    TensorLayout broadcast(long... newShape) {
        long[] checked = checked(newShape);
        elementCount(checked);
        long[] newStrides = new long[checked.length];
        boolean fits = shape.length <= checked.length;
        for (int axis = 1; fits && axis <= shape.length; axis++) {
            long size = shape[shape.length - axis];
            fits = size == 1 || size == checked[checked.length - axis];
            newStrides[checked.length - axis] = size == 1 ? 0 : strides[shape.length - axis];
        }
        if (!fits) {
            throw new IllegalArgumentException("newShape: " + Arrays.toString(checked) + ", must be, right-aligned, "
                    + Arrays.toString(shape) + " but where that has no axis or one of size 1");
        }
        refuseAnotherWidth("newShape", scaled < 0 || checked[checked.length - 1] == width(), checked);
        return new TensorLayout(checked, newStrides, offset, scaled);
    }

    /** As {@link Tensor#reshape}. */
    TensorLayout reshape(long... newShape) {
        long[] checked = checked(newShape);
        if (elementCount(checked) != elementCount()) {
            throw new IllegalArgumentException("newShape: " + Arrays.toString(checked) + ", must have the "
                    + elementCount() + " elements of " + Arrays.toString(shape));
        }
        if (!isRowMajor()) {
            throw new IllegalArgumentException("newShape: this tensor is a view with gaps; call contiguous() first");
        }
        refuseAnotherWidth(
                "newShape", scaled < 0 || (checked.length > 0 && checked[checked.length - 1] == width()), checked);
        return new TensorLayout(checked, rowMajorStrides(scaled >= 0, checked), offset, scaled);
    }

    private long width() {
        return shape[shape.length - 1];
    }

    private long strideOfRows() {
        return DType.Q8_0.paddedWidth(width());
    }

    /** Refuses a view of a quantized tensor whose rows are not the tensor's. */
    private void refuseAnotherWidth(String name, boolean keepsRows, long... given) {
        if (scaled >= 0 && !keepsRows) {
            throw new IllegalArgumentException(name + ": " + Arrays.toString(given)
                    + ", must leave the last axis as it is: elements of a quantized tensor share scales along it"
                    + " (Tensor.to converts to a type without)");
        }
    }

    /** Returns the place of one element. */
    long position(long... index) {
        if (index.length != shape.length) {
            throw new IndexOutOfBoundsException(
                    "index has " + index.length + " numbers for shape " + Arrays.toString(shape));
        }
        long at = offset;
        for (int axis = 0; axis < index.length; axis++) {
            Objects.checkIndex(index[axis], shape[axis]);
            at += index[axis] * strides[axis];
        }
        return at;
    }

    /**
     * Visits the place of the first element of each row (the last axis), in row-major order; there is at least one axis.
     */
    void forEachRow(LongConsumer positions) {
        if (elementCount() == 0) {
            return;
        }
        int outer = shape.length - 1;
        long[] index = new long[outer];
        while (true) {
            long at = offset;
            for (int axis = 0; axis < outer; axis++) {
                at += index[axis] * strides[axis];
            }
            positions.accept(at);
            int axis = outer - 1;
            while (axis >= 0 && ++index[axis] == shape[axis]) {
                index[axis--] = 0;
            }
            if (axis < 0) {
                return;
            }
        }
    }

    // ---- arithmetic on shapes, checked for overflow

    static long[] checked(long... shape) {
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] < 0) {
                throw new IllegalArgumentException("shape: axis " + axis + " is " + shape[axis]
                        + ", must be 0 or more, in " + Arrays.toString(shape));
            }
        }
        return shape.clone();
    }

    /** Checks a shape as {@link #checked} does, and that the data fills it. */
    static long[] checkedFor(int given, long... shape) {
        long[] checked = checked(shape);
        long expected = elementCount(checked);
        if (given != expected) {
            throw new IllegalArgumentException(
                    "elements: " + given + " given, must be " + expected + " for shape " + Arrays.toString(checked));
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
                throw new IllegalArgumentException(
                        "shape " + Arrays.toString(shape) + " has more than 2^63 elements", e);
            }
        }
        return count;
    }

    static int hostBytes(DType dtype, long... shape) {
        long count = storedCount(dtype, shape);
        double elementBytes = dtype.byteSize(Quantization.GROUP) / (double) Quantization.GROUP;
        if (count > MAX_HOST_BYTES / elementBytes) {
            throw new IllegalArgumentException("shape " + Arrays.toString(shape) + " of " + dtype + " has " + count
                    + " elements; a tensor in host memory holds at most " + MAX_HOST_BYTES + " bytes ("
                    + (long) (MAX_HOST_BYTES / elementBytes) + " elements): split it over batch or heads");
        }
        return Math.toIntExact(dtype.byteSize(count));
    }

    private static long[] rowMajorStrides(boolean padded, long... shape) {
        long[] strides = new long[shape.length];
        long stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            strides[axis] = stride;
            stride *= Math.max(1, shape[axis]);
            if (padded && axis == shape.length - 1) {
                stride = DType.Q8_0.paddedWidth(stride);
            }
        }
        return strides;
    }
}
