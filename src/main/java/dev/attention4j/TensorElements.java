package dev.attention4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.StringJoiner;

/**
 * The elements of a tensor in row-major order, wherever its layout has them, widened or rounded as they are read.
 *
 * @param dtype how elements are stored
 * @param layout their places
 * @param bytes the tensor's memory on the host, of a quantized one its integers
 * @param scales of a quantized tensor; null for another
 */
record TensorElements(DType dtype, TensorLayout layout, ByteBuffer bytes, ByteBuffer scales) {
    /** Fits the nearest cache as doubles. */
    private static final int MOST_OF_A_RUN = 1024;

    /** The most elements that are written in full. */
    private static final int MOST_WRITTEN = 36;

    /** The number of elements written of each end of a larger tensor. */
    private static final int EDGE = 3;

    /** As {@link Tensor#toFloatArray}. */
    float[] toFloatArray() {
        float[] elements = new float[count()];
        if (dtype == DType.FLOAT32 && layout.isRowMajor()) {
            bytes.asFloatBuffer().get(Math.toIntExact(layout.offset), elements);
            return elements;
        }
        forEachRun((run, at, count) -> {
            for (int n = 0; n < count; n++) {
                elements[at + n] = (float) run[n];
            }
        });
        return elements;
    }

    /** As {@link Tensor#toDoubleArray}. */
    double[] toDoubleArray() {
        double[] elements = new double[count()];
        forEachRun((run, at, count) -> System.arraycopy(run, 0, elements, at, count));
        return elements;
    }

    /** As {@link Tensor#toBooleanArray}. */
    boolean[] toBooleanArray() {
        boolean[] elements = new boolean[count()];
        forEachRun((run, at, count) -> {
            for (int n = 0; n < count; n++) {
                elements[at + n] = run[n] != 0;
            }
        });
        return elements;
    }

    /**
     * Copies all elements to the target in row-major order, rounded to the nearest of the target's type.
     */
    void copyTo(DType type, ByteBuffer target) {
        if (layout.elementCount() == 0) {
            // Its other axes may be longer than any array.
            return;
        }
        int last = layout.rank() - 1;
        if (type.isQuantized()) {
            copyGroupsTo(type, target);
        } else if (type == dtype && last >= 0 && layout.strides[last] == 1) {
            // Copies whole rows: nothing is converted, and an inner heads axis costs next to nothing.
            int[] position = {0};
            int rowBytes = Math.toIntExact(layout.shape[last] * dtype.bytes());
            layout.forEachRow(start -> {
                target.put(position[0], bytes, byteOf(start), rowBytes);
                position[0] += rowBytes;
            });
        } else if (type == dtype) {
            forEachPlace((first, step, at, count) ->
                    copyRun(dtype.bytes(), bytes, first, step, target, at * dtype.bytes(), count));
        } else if (dtype == DType.INT64 && type.isAttentionStorage()) {
            forEachPlace((first, step, at, count) -> {
                for (int n = 0; n < count; n++) {
                    type.write(target, (at + n) * type.bytes(), roundedToOdd(bytes.getLong(first + n * step)));
                }
            });
        } else {
            forEachRun((run, at, count) -> writeRun(type, target, at * type.bytes(), run, count));
        }
    }

    /** Copies to a quantized type: groups of the same type as they are, others rounded. */
    private void copyGroupsTo(DType type, ByteBuffer target) {
        long width = layout.size(-1);
        int groups = (int) (type.paddedWidth(width) / Quantization.GROUP);
        int integerBytes = (int) type.integerBytes(layout.elementCount() / width * type.paddedWidth(width));
        ByteBuffer targetScales =
                target.slice(integerBytes, target.capacity() - integerBytes).order(ByteOrder.nativeOrder());
        if (type == dtype) {
            int rowBytes = (int) type.integerBytes((long) groups * Quantization.GROUP);
            int[] row = {0};
            layout.forEachRow(start -> {
                target.put(row[0] * rowBytes, bytes, (int) type.integerBytes(start), rowBytes);
                targetScales.put(
                        row[0] * groups * Short.BYTES,
                        scales,
                        (int) (start / Quantization.GROUP) * Short.BYTES,
                        groups * Short.BYTES);
                row[0]++;
            });
            return;
        }
        float[] elements = new float[Quantization.GROUP];
        forEachRun((run, at, count) -> {
            int firstGroup = (int) (at / width * groups + at % width / Quantization.GROUP);
            for (int first = 0; first < count; first += Quantization.GROUP) {
                int here = Math.min(Quantization.GROUP, count - first);
                for (int n = 0; n < here; n++) {
                    elements[n] = (float) run[first + n];
                }
                Quantization.write(type, elements, here, target, targetScales, firstGroup + first / Quantization.GROUP);
            }
        });
    }

    /**
     * Rounds to odd: an inexact double has its last bit set, so that rounding it again to fewer bits gives what the integer
     * itself rounds to (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
     */
    static double roundedToOdd(long integer) {
        double nearest = integer;
        long back = (long) nearest;
        if (back == integer || (Double.doubleToRawLongBits(nearest) & 1) == 1) {
            return nearest;
        }
        return integer > back ? Math.nextUp(nearest) : Math.nextDown(nearest);
    }

    private int count() {
        return Math.toIntExact(layout.elementCount());
    }

    /** Visits all elements in row-major order, in runs along the last axis. */
    private void forEachRun(Run visitor) {
        double[] run = new double[(int) Math.min(MOST_OF_A_RUN, Math.max(1, layout.elementCount()))];
        if (dtype.isQuantized()) {
            float[] floats = new float[run.length];
            forEachPlace((first, step, at, count) -> {
                Quantization.read(dtype, bytes, scales, first, count, floats);
                for (int n = 0; n < count; n++) {
                    run[n] = floats[n];
                }
                visitor.visit(run, at, count);
            });
            return;
        }
        forEachPlace((first, step, at, count) -> {
            readRun(dtype, bytes, first, step, run, count);
            visitor.visit(run, at, count);
        });
    }

    private void forEachPlace(Place visitor) {
        if (layout.rank() == 0) {
            visitor.visit(byteOf(layout.offset), 0, 0, 1);
            return;
        }
        int size = (int) Math.min(layout.shape[layout.rank() - 1], count());
        long stride = layout.strides[layout.rank() - 1];
        // More than an int holds only if there is one element: any other would be outside of the memory.
        int step = dtype.isQuantized() ? 1 : (int) (stride * dtype.bytes());
        int[] before = {0};
        layout.forEachRow(start -> {
            for (int first = 0; first < size; first += MOST_OF_A_RUN) {
                int count = Math.min(MOST_OF_A_RUN, size - first);
                visitor.visit(byteOf(start + first * stride), step, before[0] + first, count);
            }
            before[0] += size;
        });
    }

    /** Receives some elements, from the array's start on, and the number of elements before them. */
    private interface Run {
        void visit(double[] elements, int at, int count);
    }

    /** Receives the first byte of some elements, of quantized ones the first itself, their distance in bytes, and the number of elements before them. */
    private interface Place {
        void visit(int first, int step, int at, int count);
    }

    private int byteOf(long at) {
        return Math.toIntExact(dtype.isQuantized() ? at : at * dtype.bytes());
    }

    // ---- runs of equally spaced elements. Each float type has its own loop in its own method, which HotSpot
    // vectorises,
    // unlike a switch inside a loop: several times faster.

    /** Reads elements that are {@code step} bytes apart, from the byte {@code first} on. */
    private static void readRun(DType dtype, ByteBuffer memory, int first, int step, double[] elements, int count) {
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

    /** Copies elements of 1, 2, 4 or 8 bytes as they are stored, to one after another from the byte {@code at} on. */
    private static void copyRun(
            int elementBytes, ByteBuffer from, int first, int step, ByteBuffer to, int at, int count) {
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

    /** Writes elements one after another, each rounded to the nearest of its type. */
    private static void writeRun(DType dtype, ByteBuffer memory, int first, double[] elements, int count) {
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

    // ---- text

    /** Writes all elements in nested brackets, or the first and last few in row-major order in one pair. */
    static String text(Tensor tensor) {
        long count = tensor.elementCount();
        if (count <= MOST_WRITTEN) {
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

    /** Returns the index of the n-th element in row-major order. */
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
        if (!dtype.isFloat() && !dtype.isQuantized()) {
            return String.valueOf((long) element);
        }
        return dtype == DType.FLOAT64 ? String.valueOf(element) : String.valueOf((float) element);
    }
}
