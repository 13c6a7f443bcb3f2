package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * The type of a tensor's elements.
 *
 * <p>Query, key and value may be {@link #FLOAT32}, {@link #FLOAT16} or {@link #BFLOAT16}, key and value also {@link #Q8_0} or
 * {@link #Q4_0}; arithmetic is float32 or better in every engine, so small types save memory, not precision of the sums. The
 * other types are for masks ({@link #BOOL}) and for the contents of files.
 */
public enum DType {
    /** IEEE 754 binary64. */
    FLOAT64(8),
    /** IEEE 754 binary32. */
    FLOAT32(4),
    /** IEEE 754 binary16: 5 bits of exponent, 10 of fraction, largest finite value 65504. */
    FLOAT16(2),
    /** The upper half of a binary32: 8 bits of exponent, 7 of fraction. */
    BFLOAT16(2),
    /** Two's complement, 64 bits. */
    INT64(8),
    /** Two's complement, 32 bits. */
    INT32(4),
    /** Two's complement, 16 bits. */
    INT16(2),
    /** Two's complement, 8 bits. */
    INT8(1),
    /** Unsigned, 8 bits. */
    UINT8(1),
    /** One byte, 0 is false and anything else true. */
    BOOL(1),
    /** Integers of 8 bits with a float16 scale for each 32 elements of a row, see {@link Quantization}: for keys and values. */
    Q8_0(0),
    /** Integers of 4 bits with a float16 scale for each 32 elements of a row, see {@link Quantization}: for keys and values. */
    Q4_0(0);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /**
     * {@return bytes per element}
     *
     * @throws UnsupportedOperationException for {@link #Q8_0} and {@link #Q4_0}, see {@link #byteSize}
     */
    public int bytes() {
        if (isQuantized()) {
            throw new UnsupportedOperationException(this + " has no bytes of its own for an element: byteSize");
        }
        return bytes;
    }

    /** {@return true for {@link #Q8_0} and {@link #Q4_0}, whose elements share a scale in groups of 32} */
    public boolean isQuantized() {
        return this == Q8_0 || this == Q4_0;
    }

    /**
     * Returns the elements that a row takes in memory: of the quantized types whole groups.
     *
     * @param width of the row
     * @return {@code width}, or the next multiple of 32
     */
    public long paddedWidth(long width) {
        return isQuantized() ? (width + Quantization.GROUP - 1) / Quantization.GROUP * Quantization.GROUP : width;
    }

    /**
     * Returns the bytes of rows that lie one after another, with their scales if they have some.
     *
     * @param elements that the rows take, see {@link #paddedWidth}
     * @return bytes
     */
    public long byteSize(long elements) {
        return isQuantized() ? integerBytes(elements) + elements / Quantization.GROUP * Short.BYTES : elements * bytes;
    }

    /** The bytes of elements without their scales. */
    long integerBytes(long elements) {
        return this == Q4_0 ? elements / 2 : this == Q8_0 ? elements : elements * bytes;
    }

    /**
     * {@return true if query and output may have this type: {@link #FLOAT32}, {@link #FLOAT16} and {@link #BFLOAT16}}
     */
    public boolean isAttentionStorage() {
        return this == FLOAT32 || this == FLOAT16 || this == BFLOAT16;
    }

    /**
     * {@return true if key and value may have this type: those of query, {@link #Q8_0} and {@link #Q4_0}}
     */
    public boolean isKeyValueStorage() {
        return isAttentionStorage() || isQuantized();
    }

    /**
     * Refuses a type that key and value may not have.
     *
     * @param name of the argument, which the error begins with
     * @return this type
     * @throws IllegalArgumentException if it is not one of theirs
     */
    public DType checkKeyValueStorage(String name) {
        if (!isKeyValueStorage()) {
            throw new IllegalArgumentException(name + ": type " + this
                    + ", must be FLOAT32, FLOAT16, BFLOAT16, Q8_0 or Q4_0 (Tensor.to converts)");
        }
        return this;
    }

    /**
     * Refuses a type that a query may not have.
     *
     * @param name of the argument, which the error begins with
     * @return this type
     * @throws IllegalArgumentException if it is not one of attention's
     */
    public DType checkAttentionStorage(String name) {
        if (!isAttentionStorage()) {
            throw new IllegalArgumentException(
                    name + ": type " + this + ", must be FLOAT32, FLOAT16 or BFLOAT16 (Tensor.to converts)");
        }
        return this;
    }

    /** {@return true for the four floating-point types} */
    public boolean isFloat() {
        return this == FLOAT64 || isAttentionStorage();
    }

    /**
     * Reads an element of this type; for those who write engines.
     *
     * @param bytesOfTensor in native order
     * @param at the element's first byte
     * @return exact but for INT64 beyond 2⁵³
     */
    public double read(ByteBuffer bytesOfTensor, int at) {
        return switch (this) {
            case FLOAT64 -> bytesOfTensor.getDouble(at);
            case FLOAT32 -> bytesOfTensor.getFloat(at);
            case FLOAT16 -> Float16.toFloat(bytesOfTensor.getShort(at));
            case BFLOAT16 -> Float16.bfloatToFloat(bytesOfTensor.getShort(at));
            case INT64 -> bytesOfTensor.getLong(at);
            case INT32 -> bytesOfTensor.getInt(at);
            case INT16 -> bytesOfTensor.getShort(at);
            case INT8 -> bytesOfTensor.get(at);
            case UINT8 -> bytesOfTensor.get(at) & 0xFF;
            case BOOL -> bytesOfTensor.get(at) != 0 ? 1 : 0;
            case Q8_0, Q4_0 -> throw alone();
        };
    }

    /**
     * Writes an element of this type, rounded to nearest, ties to even; for those who write engines.
     *
     * @param bytesOfTensor in native order
     * @param at the element's first byte
     * @param element what an integer type cannot hold becomes its least or largest number, and NaN 0
     */
    public void write(ByteBuffer bytesOfTensor, int at, double element) {
        switch (this) {
            case FLOAT64 -> bytesOfTensor.putDouble(at, element);
            case FLOAT32 -> bytesOfTensor.putFloat(at, (float) element);
            case FLOAT16 -> bytesOfTensor.putShort(at, Float16.fromDouble(element));
            case BFLOAT16 -> bytesOfTensor.putShort(at, Float16.bfloatFromDouble(element));
            case INT64 -> bytesOfTensor.putLong(at, (long) Math.rint(element));
            case INT32 -> bytesOfTensor.putInt(at, (int) Math.rint(element));
            case INT16 -> bytesOfTensor.putShort(at, (short) nearest(element, Short.MIN_VALUE, Short.MAX_VALUE));
            case INT8 -> bytesOfTensor.put(at, (byte) nearest(element, Byte.MIN_VALUE, Byte.MAX_VALUE));
            case UINT8 -> bytesOfTensor.put(at, (byte) nearest(element, 0, 255));
            case BOOL -> bytesOfTensor.put(at, (byte) (element != 0 ? 1 : 0));
            case Q8_0, Q4_0 -> throw alone();
        }
    }

    private UnsupportedOperationException alone() {
        return new UnsupportedOperationException("an element of " + this + " has no bytes of its own: Quantization");
    }

    /** Rounds to the nearest integer in a range, 0 for NaN, as a cast to int does. */
    private static int nearest(double element, int least, int most) {
        return (int) Math.max(least, Math.min(most, Math.rint(element)));
    }
}
