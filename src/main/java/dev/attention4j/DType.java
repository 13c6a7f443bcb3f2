package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * The type of a tensor's elements.
 *
 * <p>Query, key and value may be {@link #FLOAT32}, {@link #FLOAT16} or {@link #BFLOAT16}; arithmetic is float32 or
 * better in every engine, so the 16-bit types save memory, not precision of the sums. The other types are for masks
 * ({@link #BOOL}) and for the contents of files.
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
    BOOL(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** {@return bytes per element} */
    public int bytes() {
        return bytes;
    }

    /**
     * {@return true if query, key and value may have this type: {@link #FLOAT32}, {@link #FLOAT16} and {@link
     * #BFLOAT16}}
     */
    public boolean isAttentionStorage() {
        return this == FLOAT32 || this == FLOAT16 || this == BFLOAT16;
    }

    /**
     * Refuses a type that query, key and value may not have.
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
        }
    }

    /** Rounds to the nearest integer in a range, 0 for NaN, as a cast to int does. */
    private static int nearest(double element, int least, int most) {
        return (int) Math.max(least, Math.min(most, Math.rint(element)));
    }
}
