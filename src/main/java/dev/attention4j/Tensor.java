package dev.attention4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Objects;
import java.util.Random;

/**
 * A block of numbers with a shape: query, key, value, mask, bias or result.
 *
 * <p>A tensor is in the host's memory (direct, native byte order, so that OpenCL reads it without a copy) or in a
 * device's ({@link AttentionEngine#upload}). Elements lie row-major unless a view ({@link #permute}, {@link #slice})
 * says otherwise by its strides. Attention reads {@code [batch, heads, length, headDim]}; a tensor that lies as {@code
 * [batch, length, heads, headDim]} is given as {@code tensor.permute(0, 2, 1, 3)}, which copies nothing.
 *
 * <p>A view shares its tensor's memory and is closed with it. Closing a host tensor is optional: the garbage collector
 * does it too. Contents may be read from many threads; writing while an engine computes gives undefined numbers.
 */
public final class Tensor implements AutoCloseable {
    private final DType dtype;
    private final long[] shape;
    private final long[] strides;
    private final long offset;
    private final TensorMemory memory;

    private Tensor(DType dtype, long[] shape, long[] strides, long offset, TensorMemory memory) {
        this.dtype = dtype;
        this.shape = shape;
        this.strides = strides;
        this.offset = offset;
        this.memory = memory;
    }

    // ---- made from Java data

    /**
     * A float32 tensor with a copy of an array.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @return a tensor in host memory
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(float[] elements, long... shape) {
        return of(FloatBuffer.wrap(elements), shape);
    }

    /**
     * A float32 tensor with a copy of what remains of a buffer, whose position is left as it was.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @return a tensor in host memory
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(FloatBuffer elements, long... shape) {
        Tensor tensor = zeros(DType.FLOAT32, checkedFor(elements.remaining(), shape));
        tensor.floats().put(elements.duplicate());
        return tensor;
    }

    /**
     * A boolean tensor, for masks: true = attend.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @return a tensor in host memory
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(boolean[] elements, long... shape) {
        Tensor tensor = zeros(DType.BOOL, checkedFor(elements.length, shape));
        ByteBuffer bytes = tensor.memory.toHost();
        for (int n = 0; n < elements.length; n++) {
            bytes.put(n, (byte) (elements[n] ? 1 : 0));
        }
        return tensor;
    }

    /**
     * A tensor over memory that the caller has, without a copy; what changes there changes here.
     *
     * @param bytes a direct buffer in native byte order; its position is where the tensor starts
     * @param dtype the element type
     * @param shape the size of each axis
     * @return a tensor in host memory
     * @throws IllegalArgumentException if the buffer is not direct, not in native order, or does not hold just the shape
     */
    public static Tensor wrap(ByteBuffer bytes, DType dtype, long... shape) {
        if (!bytes.isDirect()) {
            throw new IllegalArgumentException("bytes: a heap buffer; must be direct (ByteBuffer.allocateDirect)");
        }
        if (bytes.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("bytes: order is " + bytes.order() + ", must be the native "
                    + ByteOrder.nativeOrder() + " (bytes.order(ByteOrder.nativeOrder()))");
        }
        long[] checked = Shapes.checked(shape);
        int expected = Shapes.hostBytes(dtype, checked);
        if (bytes.remaining() != expected) {
            throw new IllegalArgumentException("bytes: has " + bytes.remaining() + " bytes, must be " + expected
                    + " for shape " + Shapes.text(checked) + " of " + dtype);
        }
        return inMemory(dtype, checked, new HostMemory(bytes.slice().order(ByteOrder.nativeOrder())));
    }

    /**
     * A tensor of zeros (false for {@link DType#BOOL}).
     *
     * @param dtype the element type
     * @param shape the size of each axis; 0 is legal
     * @return a tensor in host memory
     * @throws IllegalArgumentException if an axis is negative or the tensor is larger than 2³¹ bytes
     */
    public static Tensor zeros(DType dtype, long... shape) {
        Objects.requireNonNull(dtype, "dtype");
        long[] checked = Shapes.checked(shape);
        return inMemory(dtype, checked, HostMemory.allocate(Shapes.hostBytes(dtype, checked)));
    }

    /**
     * A float32 tensor of normally distributed numbers (mean 0, variance 1), the same for the same seed.
     *
     * @param seed of {@link Random}
     * @param shape the size of each axis
     * @return a tensor in host memory
     */
    public static Tensor random(long seed, long... shape) {
        Tensor tensor = zeros(DType.FLOAT32, shape);
        Random random = new Random(seed);
        FloatBuffer floats = tensor.floats();
        while (floats.hasRemaining()) {
            floats.put((float) random.nextGaussian());
        }
        return tensor;
    }

    /**
     * A row-major tensor over an engine's memory; for those who write engines.
     *
     * @param dtype the element type
     * @param shape the size of each axis
     * @param memory at least as large as the shape
     * @return a tensor that is closed with its memory
     */
    public static Tensor inMemory(DType dtype, long[] shape, TensorMemory memory) {
        long needed = Math.multiplyExact(Shapes.elementCount(shape), dtype.bytes());
        if (memory.byteSize() < needed) {
            throw new IllegalArgumentException("memory: has " + memory.byteSize() + " bytes, must be at least " + needed
                    + " for shape " + Shapes.text(shape) + " of " + dtype);
        }
        return new Tensor(dtype, shape.clone(), Shapes.rowMajor(shape), 0, memory);
    }

    private static long[] checkedFor(int given, long... shape) {
        long[] checked = Shapes.checked(shape);
        long expected = Shapes.elementCount(checked);
        if (given != expected) {
            throw new IllegalArgumentException(
                    "elements: " + given + " given, must be " + expected + " for shape " + Shapes.text(checked));
        }
        return checked;
    }

    // ---- what it is

    /**
     * The element type.
     *
     * @return the type of each element
     */
    public DType dtype() {
        return dtype;
    }

    /**
     * The size of each axis.
     *
     * @return a copy
     */
    public long[] shape() {
        return shape.clone();
    }

    /**
     * How many elements apart neighbours along each axis lie.
     *
     * @return a copy
     */
    public long[] strides() {
        return strides.clone();
    }

    /**
     * Where the first element lies.
     *
     * @return elements from the start of {@link #memory()}
     */
    public long offset() {
        return offset;
    }

    /**
     * The number of axes.
     *
     * @return 0 for a single number
     */
    public int rank() {
        return shape.length;
    }

    /**
     * The size of one axis.
     *
     * @param axis from 0, or from −1 backwards
     * @return its size
     */
    public long size(int axis) {
        return shape[axis < 0 ? axis + shape.length : axis];
    }

    /**
     * How many elements there are.
     *
     * @return the product of the shape
     */
    public long elementCount() {
        return Shapes.elementCount(shape);
    }

    /**
     * How many bytes the elements take where they lie row-major.
     *
     * @return bytes
     */
    public long byteSize() {
        return elementCount() * dtype.bytes();
    }

    /**
     * Whether the elements lie row-major with no gaps.
     *
     * @return false for most permuted views and slices
     */
    public boolean isContiguous() {
        return Shapes.isRowMajor(shape, strides);
    }

    /**
     * The memory underneath; for those who write engines.
     *
     * @return shared by all views
     */
    public TensorMemory memory() {
        return memory;
    }

    /**
     * Whether the elements are in the host's memory, where every engine reads them.
     *
     * @return false for a tensor on a device
     */
    public boolean isOnHost() {
        return memory.engine() == null;
    }

    /**
     * Whether the memory is gone.
     *
     * @return true after {@link #close()}, or after the owning engine was closed
     */
    public boolean isClosed() {
        return memory.isClosed();
    }

    // ---- views

    /**
     * The same elements with the axes in another order, without a copy.
     *
     * @param axes each axis of this tensor once: axis n of the result is {@code axes[n]} of this
     * @return a view
     * @throws IllegalArgumentException if {@code axes} is not a permutation
     */
    public Tensor permute(int... axes) {
        boolean[] seen = new boolean[shape.length];
        boolean valid = axes.length == shape.length;
        for (int n = 0; valid && n < axes.length; n++) {
            valid = axes[n] >= 0 && axes[n] < shape.length && !seen[axes[n]];
            if (valid) {
                seen[axes[n]] = true;
            }
        }
        if (!valid) {
            throw new IllegalArgumentException("axes: " + java.util.Arrays.toString(axes)
                    + ", must name each of the axes 0 to " + (shape.length - 1) + " once");
        }
        long[] newShape = new long[axes.length];
        long[] newStrides = new long[axes.length];
        for (int n = 0; n < axes.length; n++) {
            newShape[n] = shape[axes[n]];
            newStrides[n] = strides[axes[n]];
        }
        return new Tensor(dtype, newShape, newStrides, offset, memory);
    }

    /**
     * A part of one axis, without a copy.
     *
     * @param axis which
     * @param from the first index
     * @param to one past the last index
     * @return a view whose axis has {@code to − from} elements
     * @throws IllegalArgumentException unless {@code 0 ≤ from ≤ to ≤ size(axis)}
     */
    public Tensor slice(int axis, long from, long to) {
        if (axis < 0 || axis >= shape.length) {
            throw new IllegalArgumentException("axis: " + axis + ", must be 0 to " + (shape.length - 1));
        }
        if (from < 0 || from > to || to > shape[axis]) {
            throw new IllegalArgumentException("from, to: " + from + ", " + to + ", must be in order and within 0 to "
                    + shape[axis] + " on axis " + axis);
        }
        long[] newShape = shape.clone();
        newShape[axis] = to - from;
        // A view of nothing starts where this does: two empty ends added up could lie beyond the memory.
        long start = Shapes.elementCount(newShape) == 0 ? offset : offset + from * strides[axis];
        return new Tensor(dtype, newShape, strides, start, memory);
    }

    /**
     * The same elements in the same order under another shape, without a copy.
     *
     * @param newShape with as many elements as this
     * @return a view
     * @throws IllegalArgumentException if the count differs or this tensor is not contiguous
     */
    public Tensor reshape(long... newShape) {
        long[] checked = Shapes.checked(newShape);
        if (Shapes.elementCount(checked) != elementCount()) {
            throw new IllegalArgumentException("newShape: " + Shapes.text(checked) + ", must have the " + elementCount()
                    + " elements of " + Shapes.text(shape));
        }
        if (!isContiguous()) {
            throw new IllegalArgumentException("newShape: this tensor is a view with gaps; call contiguous() first");
        }
        return new Tensor(dtype, checked, Shapes.rowMajor(checked), offset, memory);
    }

    /**
     * This tensor if it is on the host and row-major from its memory's start, else a copy that is.
     *
     * @return a host tensor with offset 0
     */
    public Tensor contiguous() {
        if (isOnHost() && offset == 0 && isContiguous()) {
            return this;
        }
        return copyAs(dtype);
    }

    /**
     * This tensor if it has the type already, else a copy whose elements are rounded to nearest.
     *
     * @param newType the type wanted
     * @return a tensor of the same shape; a copy is in host memory
     */
    public Tensor to(DType newType) {
        return newType == dtype ? this : copyAs(newType);
    }

    private Tensor copyAs(DType newType) {
        Tensor copy = zeros(newType, shape);
        ByteBuffer target = copy.memory.toHost();
        ByteBuffer source = memory.toHost();
        int sourceBytes = dtype.bytes();
        int targetBytes = newType.bytes();
        int[] position = {0};
        if (newType == dtype && rank() > 0 && strides[rank() - 1] == 1) {
            int rowBytes = Math.toIntExact(size(-1) * sourceBytes);
            forEachRow(start -> {
                target.put(position[0], source, Math.toIntExact(start * sourceBytes), rowBytes);
                position[0] += rowBytes;
            });
        } else {
            forEachElement(at -> {
                newType.write(target, position[0], dtype.read(source, Math.toIntExact(at * sourceBytes)));
                position[0] += targetBytes;
            });
        }
        return copy;
    }

    // ---- read back

    /**
     * One element.
     *
     * @param index one number per axis
     * @return the element, widened
     * @throws IndexOutOfBoundsException if the index is not in the shape
     */
    public double get(long... index) {
        if (index.length != shape.length) {
            throw new IndexOutOfBoundsException(
                    "index has " + index.length + " numbers for shape " + Shapes.text(shape));
        }
        long at = offset;
        for (int axis = 0; axis < index.length; axis++) {
            Objects.checkIndex(index[axis], shape[axis]);
            at += index[axis] * strides[axis];
        }
        return dtype.read(memory.toHost(), Math.toIntExact(at * dtype.bytes()));
    }

    /**
     * All elements, row-major, as floats; from a device this waits for the copy.
     *
     * @return a new array
     */
    public float[] toFloatArray() {
        float[] elements = new float[Math.toIntExact(elementCount())];
        ByteBuffer bytes = memory.toHost();
        if (dtype == DType.FLOAT32 && isContiguous()) {
            bytes.asFloatBuffer().get(Math.toIntExact(offset), elements);
            return elements;
        }
        int[] n = {0};
        forEachElement(at -> elements[n[0]++] = (float) dtype.read(bytes, Math.toIntExact(at * dtype.bytes())));
        return elements;
    }

    /**
     * All elements, row-major, as doubles.
     *
     * @return a new array
     */
    public double[] toDoubleArray() {
        double[] elements = new double[Math.toIntExact(elementCount())];
        ByteBuffer bytes = memory.toHost();
        int[] n = {0};
        forEachElement(at -> elements[n[0]++] = dtype.read(bytes, Math.toIntExact(at * dtype.bytes())));
        return elements;
    }

    /**
     * All elements, row-major, as booleans: 0 is false.
     *
     * @return a new array
     */
    public boolean[] toBooleanArray() {
        boolean[] elements = new boolean[Math.toIntExact(elementCount())];
        ByteBuffer bytes = memory.toHost();
        int[] n = {0};
        forEachElement(at -> elements[n[0]++] = dtype.read(bytes, Math.toIntExact(at * dtype.bytes())) != 0);
        return elements;
    }

    /**
     * The elements of a contiguous host tensor as they lie, without a copy.
     *
     * @return a direct buffer in native order, from the first element to the last
     * @throws IllegalStateException if the tensor is closed, on a device, or a view with gaps
     */
    public ByteBuffer bytes() {
        if (!isOnHost()) {
            throw new IllegalStateException(
                    "the tensor is on a device; AttentionEngine.download brings it to the host");
        }
        if (!isContiguous()) {
            throw new IllegalStateException("the tensor is a view with gaps; contiguous() copies it into one block");
        }
        ByteBuffer bytes = memory.toHost();
        return bytes.slice(Math.toIntExact(offset * dtype.bytes()), Math.toIntExact(byteSize()))
                .order(ByteOrder.nativeOrder());
    }

    /**
     * The elements of a contiguous float32 host tensor as they lie, without a copy.
     *
     * @return a direct buffer; writing into it writes into the tensor
     * @throws IllegalStateException as {@link #bytes()}, or if the type is not float32
     */
    public FloatBuffer floats() {
        if (dtype != DType.FLOAT32) {
            throw new IllegalStateException(
                    "the tensor is " + dtype + ", must be FLOAT32; to(DType.FLOAT32) converts it");
        }
        return bytes().asFloatBuffer();
    }

    @FunctionalInterface
    private interface PositionConsumer {
        void accept(long at);
    }

    private void forEachElement(PositionConsumer consumer) {
        if (shape.length == 0) {
            consumer.accept(offset);
            return;
        }
        long size = shape[shape.length - 1];
        long stride = strides[shape.length - 1];
        forEachRow(start -> {
            for (long n = 0; n < size; n++) {
                consumer.accept(start + n * stride);
            }
        });
    }

    /** Visits the first element of each row (the last axis), in row-major order. */
    private void forEachRow(PositionConsumer consumer) {
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
            consumer.accept(at);
            int axis = outer - 1;
            while (axis >= 0 && ++index[axis] == shape[axis]) {
                index[axis--] = 0;
            }
            if (axis < 0) {
                return;
            }
        }
    }

    /** Gives the memory back, the views' as well; closing again does nothing. */
    @Override
    public void close() {
        memory.close();
    }

    @Override
    public String toString() {
        return "Tensor" + Shapes.text(shape) + " " + dtype
                + (isOnHost() ? "" : " on " + memory.engine().info().name())
                + (isClosed() ? " (closed)" : "");
    }
}
