package dev.attention4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.function.Function;

/**
 * A block of numbers with a shape: query, key, value, mask, bias or result.
 *
 * <p>A tensor is in the host's memory (direct, native byte order, so that OpenCL reads it without a copy) or in a
 * device's ({@link AttentionEngine#upload}). Elements are row-major, except in views ({@link #permute}, {@link #slice}, {@link
 * #broadcast}), which have other strides. Attention reads {@code [batch, heads, length, headDim]}; a tensor {@code [batch,
 * length, heads, headDim]} is given as {@code tensor.permute(0, 2, 1, 3)}, which copies nothing.
 *
 * <p>A view shares its tensor's memory and is closed with it. Closing a host tensor is optional: the garbage collector
 * frees it too. Contents may be read from many threads; writing while an engine computes gives undefined numbers.
 */
public final class Tensor implements AutoCloseable {
    private final DType dtype;
    private final TensorLayout layout;
    private final TensorMemory memory;

    private Tensor(DType dtype, TensorLayout layout, TensorMemory memory) {
        this.dtype = dtype;
        this.layout = layout;
        this.memory = memory;
    }

    // ---- from Java data

    /**
     * Makes a float32 tensor with a copy of an array.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(float[] elements, long... shape) {
        return of(FloatBuffer.wrap(Objects.requireNonNull(elements, "elements")), shape);
    }

    /**
     * Makes a float32 tensor with a copy of the rest of a buffer, whose position does not change.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(FloatBuffer elements, long... shape) {
        Tensor tensor = zeros(
                DType.FLOAT32,
                TensorLayout.checkedFor(
                        Objects.requireNonNull(elements, "elements").remaining(), shape));
        tensor.floats().put(elements.duplicate());
        return tensor;
    }

    /**
     * Makes a boolean tensor, for masks: true = attend.
     *
     * @param elements row-major, as many as the shape has
     * @param shape the size of each axis
     * @throws IllegalArgumentException if the number of elements is not the shape's
     */
    public static Tensor of(boolean[] elements, long... shape) {
        Tensor tensor =
                zeros(DType.BOOL, TensorLayout.checkedFor(Objects.requireNonNull(elements, "elements").length, shape));
        ByteBuffer bytes = tensor.memory.toHost();
        for (int n = 0; n < elements.length; n++) {
            bytes.put(n, (byte) (elements[n] ? 1 : 0));
        }
        return tensor;
    }

    /**
     * Makes a tensor over the caller's memory, without a copy: changes there are changes here.
     *
     * @param bytes a direct buffer in native byte order; the tensor starts at its position
     * @param dtype the element type
     * @param shape the size of each axis
     * @throws IllegalArgumentException if the buffer is not direct, not in native order, or does not hold just the
     *     shape
     */
    public static Tensor wrap(ByteBuffer bytes, DType dtype, long... shape) {
        HostMemory.checkUsable(Objects.requireNonNull(bytes, "bytes"));
        Objects.requireNonNull(dtype, "dtype");
        long[] checked = TensorLayout.checked(shape);
        int expected = TensorLayout.hostBytes(dtype, checked);
        if (bytes.remaining() != expected) {
            throw new IllegalArgumentException("bytes: has " + bytes.remaining() + " bytes, must be " + expected
                    + " for shape " + Arrays.toString(checked) + " of " + dtype);
        }
        return inMemory(dtype, checked, new HostMemory(bytes.slice().order(ByteOrder.nativeOrder())));
    }

    /**
     * Makes a tensor of zeros (false for {@link DType#BOOL}).
     *
     * @param dtype the element type
     * @param shape the size of each axis; 0 is legal
     * @throws IllegalArgumentException if an axis is negative or the tensor is larger than 2³¹ − 129 bytes
     */
    public static Tensor zeros(DType dtype, long... shape) {
        Objects.requireNonNull(dtype, "dtype");
        long[] checked = TensorLayout.checked(shape);
        return inMemory(dtype, checked, HostMemory.allocate(TensorLayout.hostBytes(dtype, checked)));
    }

    /**
     * Makes a float32 tensor of normally distributed numbers (mean 0, variance 1), the same for the same seed.
     *
     * @param seed of {@link Random}
     * @param shape the size of each axis
     * @throws IllegalArgumentException as {@link #zeros}
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
     * Returns what a row-major tensor takes, wherever it is.
     *
     * @param dtype the element type
     * @param shape the size of each axis
     * @return bytes
     * @throws IllegalArgumentException if an axis is negative or there are more than 2⁶³ bytes
     */
    public static long byteSize(DType dtype, long... shape) {
        long count = TensorLayout.storedCount(dtype, TensorLayout.checked(shape));
        if (count > Long.MAX_VALUE / (dtype.isQuantized() ? 2 : dtype.bytes())) {
            throw new IllegalArgumentException("shape " + Arrays.toString(shape) + " has more than 2^63 bytes");
        }
        return dtype.byteSize(count);
    }

    /**
     * Makes a row-major tensor over an engine's memory; for those who write engines.
     *
     * @param dtype the element type
     * @param shape the size of each axis
     * @param memory at least as large as the shape
     * @return a tensor that is closed with its memory
     * @throws IllegalArgumentException if the memory is smaller than the shape
     */
    public static Tensor inMemory(DType dtype, long[] shape, TensorMemory memory) {
        long needed = byteSize(dtype, shape);
        if (memory.byteSize() < needed) {
            throw new IllegalArgumentException("memory: has " + memory.byteSize() + " bytes, must be at least " + needed
                    + " for shape " + Arrays.toString(shape) + " of " + dtype);
        }
        return new Tensor(dtype, TensorLayout.rowMajor(dtype, shape), memory);
    }

    // ---- properties

    /** {@return the type of each element} */
    public DType dtype() {
        return dtype;
    }

    /** {@return a copy of the size of each axis} */
    public long[] shape() {
        return layout.shape.clone();
    }

    /** {@return a copy of the strides: the distance in elements of neighbours along each axis} */
    public long[] strides() {
        return layout.strides.clone();
    }

    /** {@return the place of the first element, in elements from the start of {@link #memory()}} */
    public long offset() {
        return layout.offset;
    }

    /**
     * {@return the place of the scales of a quantized tensor, in bytes from the start of {@link #memory()}: one for each 32
     * elements of the memory; 0 for another type}
     */
    public long scalesOffset() {
        return dtype.isQuantized() ? dtype.integerBytes(layout.scaled) : 0;
    }

    /** {@return the number of axes; 0 for a single number} */
    public int rank() {
        return layout.rank();
    }

    /**
     * Returns the size of one axis.
     *
     * @param axis from 0, or from −1 backwards
     * @throws IndexOutOfBoundsException if there is no such axis
     */
    public long size(int axis) {
        return layout.size(axis);
    }

    /** {@return the number of elements, the product of the shape} */
    public long elementCount() {
        return layout.elementCount();
    }

    /** {@return the bytes of the elements in row-major order} */
    public long byteSize() {
        return dtype.byteSize(TensorLayout.storedCount(dtype, layout.shape));
    }

    /** {@return true if the elements are row-major without gaps; false for most views} */
    public boolean isContiguous() {
        return layout.isRowMajor();
    }

    /** {@return the memory underneath, shared by all views; for those who write engines} */
    public TensorMemory memory() {
        return memory;
    }

    /**
     * {@return true if the elements are in the host's memory, where every engine reads them; false for a tensor on a
     * device}
     */
    public boolean isOnHost() {
        return memory.engine() == null;
    }

    /** {@return true after {@link #close()}, or after the owning engine was closed} */
    public boolean isClosed() {
        return memory.isClosed();
    }

    // ---- views

    /**
     * Returns the same elements with the axes in another order, without a copy.
     *
     * @param axes each axis of this tensor once: axis n of the result is {@code axes[n]} of this
     * @throws IllegalArgumentException if {@code axes} is not a permutation
     */
    public Tensor permute(int... axes) {
        return view(layout.permute(axes));
    }

    /**
     * Returns a part of one axis, without a copy.
     *
     * @param axis from 0, or from −1 backwards
     * @param from the first index
     * @param to one past the last index
     * @return a view whose axis has {@code to − from} elements
     * @throws IndexOutOfBoundsException if there is no such axis
     * @throws IllegalArgumentException unless {@code 0 ≤ from ≤ to ≤ size(axis)}
     */
    public Tensor slice(int axis, long from, long to) {
        return view(layout.slice(axis, from, to));
    }

    /**
     * Returns the same elements in the same order in another shape, without a copy.
     *
     * @param newShape with as many elements as this
     * @throws IllegalArgumentException if the count differs or this tensor is not contiguous
     */
    public Tensor reshape(long... newShape) {
        return view(layout.reshape(newShape));
    }

    /**
     * Repeats the elements along axes of size 1 and along new leading axes, without a copy (NumPy's {@code
     * broadcast_to}): the stride there is 0.
     *
     * @param newShape right-aligned, this tensor's size on each axis where that is not 1
     * @return a view, not to be written to
     * @throws IllegalArgumentException if this tensor does not broadcast to that shape
     */
    public Tensor broadcast(long... newShape) {
        return view(layout.broadcast(newShape));
    }

    private Tensor view(TensorLayout other) {
        return new Tensor(dtype, other, memory);
    }

    // ---- copies

    /**
     * Returns this tensor if it is on the host and row-major from its memory's start, else a copy that is.
     *
     * @return a host tensor with offset 0
     * @throws IllegalStateException if a copy is needed and this tensor is closed
     */
    public Tensor contiguous() {
        if (isOnHost() && layout.offset == 0 && isContiguous()) {
            return this;
        }
        return copyAs(dtype);
    }

    /**
     * Returns this tensor if it has the type already, else a copy whose elements are rounded to nearest, ties to even;
     * {@link Quantization} says how {@link DType#Q8_0} and {@link DType#Q4_0} round.
     * Numbers outside of an integer type become its least or largest, and NaN 0.
     *
     * @param newType the type wanted
     * @return a tensor of the same shape; a copy is in host memory
     * @throws IllegalStateException if a copy is needed and this tensor is closed
     */
    public Tensor to(DType newType) {
        return newType == dtype ? this : copyAs(newType);
    }

    private Tensor copyAs(DType newType) {
        Tensor copy = zeros(newType, layout.shape);
        return read(elements -> {
            elements.copyTo(newType, copy.memory.toHost());
            return copy;
        });
    }

    // ---- read back

    private <T> T read(Function<TensorElements, T> reader) {
        long bytes = dtype.byteSize(layout.span());
        if (elementCount() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("the elements of " + description() + " are " + elementCount()
                    + ", must be at most " + Integer.MAX_VALUE + " to be read at once: slice it");
        }
        if (bytes > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("the elements of " + description() + " lie within " + bytes
                    + " bytes, must be at most " + Integer.MAX_VALUE + " to be read at once: slice it");
        }
        return memory.read(
                dtype.integerBytes(layout.offset),
                (int) dtype.integerBytes(layout.span()),
                memoryOfThem -> dtype.isQuantized()
                        ? memory.read(
                                scalesOffset() + layout.offset / Quantization.GROUP * Short.BYTES,
                                (int) (layout.span() / Quantization.GROUP * Short.BYTES),
                                scales ->
                                        reader.apply(new TensorElements(dtype, layout.atStart(), memoryOfThem, scales)))
                        : reader.apply(new TensorElements(dtype, layout.atStart(), memoryOfThem, null)));
    }

    /**
     * Reads one element. From a device it is copied alone; many are better read at once.
     *
     * @param index one number per axis
     * @return the element, widened
     * @throws IndexOutOfBoundsException if the index is not in the shape
     * @throws IllegalStateException if the tensor is closed
     */
    public double get(long... index) {
        long at = layout.position(index);
        if (dtype.isQuantized()) {
            return groupOf(at)[(int) (at % Quantization.GROUP)];
        }
        return memory.read(at * dtype.bytes(), dtype.bytes(), bytes -> dtype.read(bytes, 0));
    }

    private float[] groupOf(long element) {
        long group = element / Quantization.GROUP;
        float[] elements = new float[Quantization.GROUP];
        int bytes = (int) dtype.integerBytes(Quantization.GROUP);
        return memory.read(
                group * bytes,
                bytes,
                integers -> memory.read(scalesOffset() + group * Short.BYTES, Short.BYTES, scale -> {
                    Quantization.read(dtype, integers, scale, 0, Quantization.GROUP, elements);
                    return elements;
                }));
    }

    /**
     * Reads all elements, row-major, as floats; from a device this waits for the copy.
     *
     * @throws IllegalStateException if the tensor is closed
     */
    public float[] toFloatArray() {
        return read(TensorElements::toFloatArray);
    }

    /**
     * Reads all elements, row-major, as doubles.
     *
     * @throws IllegalStateException if the tensor is closed
     */
    public double[] toDoubleArray() {
        return read(TensorElements::toDoubleArray);
    }

    /**
     * Reads all elements, row-major, as booleans: 0 is false.
     *
     * @throws IllegalStateException if the tensor is closed
     */
    public boolean[] toBooleanArray() {
        return read(TensorElements::toBooleanArray);
    }

    /**
     * Returns the memory of a contiguous host tensor, without a copy.
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
        return bytes.slice(Math.toIntExact(dtype.integerBytes(layout.offset)), Math.toIntExact(byteSize()))
                .order(ByteOrder.nativeOrder());
    }

    /**
     * Returns the memory of a contiguous float32 host tensor, without a copy.
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

    /**
     * Frees the memory, also of the views; closing again does nothing. A device's memory is free at once. The host's is
     * free for another result of its engine or for the garbage collector.
     */
    @Override
    public void close() {
        memory.close();
    }

    /**
     * Returns shape, type and place, and the elements: all of a small tensor on the host, the first and last three of a
     * larger one. Nothing is copied from a device.
     */
    @Override
    public String toString() {
        if (isClosed() || !isOnHost()) {
            return description();
        }
        try {
            return description() + " " + TensorElements.text(this);
        } catch (IllegalStateException e) {
            // Another thread has closed it in the meantime.
            return description();
        }
    }

    /** Returns shape, type and place. */
    private String description() {
        return "Tensor" + Arrays.toString(layout.shape) + " " + dtype
                + (isOnHost() ? "" : " on " + memory.engine().info().name())
                + (isClosed() ? " (closed)" : "");
    }
}
