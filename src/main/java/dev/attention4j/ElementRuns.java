package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * Runs of elements that are equally far apart in a tensor's memory, to and from doubles, which hold every element of a
 * float type exactly.
 *
 * <p>Each float type has a loop, and each loop a method of its own: a compiler makes several times as much of it as of
 * a switch in a loop, or of all loops in one method.
 */
final class ElementRuns {
    private ElementRuns() {}

    /**
     * Reads a run.
     *
     * @param dtype how it is stored
     * @param memory the tensor's
     * @param first the byte at which the first element lies
     * @param step bytes from one element to the next
     * @param elements where to, from the array's start on
     * @param count how many
     */
    static void read(DType dtype, ByteBuffer memory, int first, int step, double[] elements, int count) {
        switch (dtype) {
            case FLOAT32 -> readFloats(memory, first, step, elements, count);
            case FLOAT16 -> readHalves(memory, first, step, elements, count);
            case BFLOAT16 -> readBfloats(memory, first, step, elements, count);
            default -> {
                for (int n = 0; n < count; n++) {
                    elements[n] = dtype.read(memory, first + n * step);
                }
            }
        }
    }

    private static void readFloats(ByteBuffer memory, int first, int step, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            elements[n] = memory.getFloat(first + n * step);
        }
    }

    private static void readHalves(ByteBuffer memory, int first, int step, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            elements[n] = Float16.toFloat(memory.getShort(first + n * step));
        }
    }

    private static void readBfloats(ByteBuffer memory, int first, int step, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            elements[n] = Float16.bfloatToFloat(memory.getShort(first + n * step));
        }
    }

    /**
     * Copies a run as it is stored, one element behind the other.
     *
     * @param elementBytes 1, 2, 4 or 8
     * @param from the tensor's memory
     * @param first the byte at which the first element lies
     * @param step bytes from one element to the next
     * @param to where to
     * @param at the byte at which the first element is put
     * @param count how many
     */
    static void copy(int elementBytes, ByteBuffer from, int first, int step, ByteBuffer to, int at, int count) {
        switch (elementBytes) {
            case 8 -> {
                for (int n = 0; n < count; n++) {
                    to.putLong(at + 8 * n, from.getLong(first + n * step));
                }
            }
            case 4 -> copyInts(from, first, step, to, at, count);
            case 2 -> copyShorts(from, first, step, to, at, count);
            default -> {
                for (int n = 0; n < count; n++) {
                    to.put(at + n, from.get(first + n * step));
                }
            }
        }
    }

    private static void copyInts(ByteBuffer from, int first, int step, ByteBuffer to, int at, int count) {
        for (int n = 0; n < count; n++) {
            to.putInt(at + Integer.BYTES * n, from.getInt(first + n * step));
        }
    }

    private static void copyShorts(ByteBuffer from, int first, int step, ByteBuffer to, int at, int count) {
        for (int n = 0; n < count; n++) {
            to.putShort(at + Short.BYTES * n, from.getShort(first + n * step));
        }
    }

    /**
     * Writes a run, one element behind the other, each rounded to the nearest of its type.
     *
     * @param dtype how it is stored
     * @param memory the tensor's
     * @param first the byte at which the first element lies
     * @param elements from the array's start on
     * @param count how many
     */
    static void write(DType dtype, ByteBuffer memory, int first, double[] elements, int count) {
        switch (dtype) {
            case FLOAT32 -> writeFloats(memory, first, elements, count);
            case FLOAT16 -> writeHalves(memory, first, elements, count);
            case BFLOAT16 -> writeBfloats(memory, first, elements, count);
            default -> {
                for (int n = 0; n < count; n++) {
                    dtype.write(memory, first + n * dtype.bytes(), elements[n]);
                }
            }
        }
    }

    private static void writeFloats(ByteBuffer memory, int first, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            memory.putFloat(first + Float.BYTES * n, (float) elements[n]);
        }
    }

    private static void writeHalves(ByteBuffer memory, int first, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            memory.putShort(first + Short.BYTES * n, Float16.fromDouble(elements[n]));
        }
    }

    private static void writeBfloats(ByteBuffer memory, int first, double[] elements, int count) {
        for (int n = 0; n < count; n++) {
            memory.putShort(first + Short.BYTES * n, Float16.bfloatFromDouble(elements[n]));
        }
    }
}
