package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * What a tensor holds: its elements in row-major order, wherever the layout has them, widened or rounded on the way
 * out.
 *
 * @param dtype how elements are stored
 * @param layout where they lie
 * @param bytes the tensor's memory as the host sees it
 */
record TensorElements(DType dtype, TensorLayout layout, ByteBuffer bytes) {
    /** Fits the nearest cache as doubles. */
    private static final int MOST_OF_A_RUN = 1024;

    /** As {@link Tensor#toFloatArray}. */
    float[] toFloatArray() {
        float[] elements = new float[count()];
        if (dtype == DType.FLOAT32 && layout.isRowMajor()) {
            bytes.asFloatBuffer().get(Math.toIntExact(layout.offset), elements);
            return elements;
        }
        int[] at = {0};
        forEachRun((run, count) -> {
            for (int n = 0; n < count; n++) {
                elements[at[0] + n] = (float) run[n];
            }
            at[0] += count;
        });
        return elements;
    }

    /** As {@link Tensor#toDoubleArray}. */
    double[] toDoubleArray() {
        double[] elements = new double[count()];
        int[] at = {0};
        forEachRun((run, count) -> {
            System.arraycopy(run, 0, elements, at[0], count);
            at[0] += count;
        });
        return elements;
    }

    /** As {@link Tensor#toBooleanArray}. */
    boolean[] toBooleanArray() {
        boolean[] elements = new boolean[count()];
        int[] at = {0};
        forEachRun((run, count) -> {
            for (int n = 0; n < count; n++) {
                elements[at[0] + n] = run[n] != 0;
            }
            at[0] += count;
        });
        return elements;
    }

    /**
     * Copies all of them, one after another from the target's start on.
     *
     * @param type how the target stores them; rounded to nearest where it has fewer bits
     * @param target room for all
     */
    void copyTo(DType type, ByteBuffer target) {
        if (layout.elementCount() == 0) {
            // Its other axes may be longer than any array.
            return;
        }
        int[] position = {0};
        int last = layout.rank() - 1;
        if (type == dtype && last >= 0 && layout.strides[last] == 1) {
            // Whole rows as they lie: nothing is converted, and heads that were inside cost next to nothing.
            int rowBytes = Math.toIntExact(layout.shape[last] * dtype.bytes());
            layout.forEachRow(start -> {
                target.put(position[0], bytes, byteOf(start), rowBytes);
                position[0] += rowBytes;
            });
        } else if (type == dtype) {
            forEachPlace((first, step, count) -> {
                ElementRuns.copy(dtype.bytes(), bytes, first, step, target, position[0], count);
                position[0] += count * dtype.bytes();
            });
        } else if (dtype == DType.INT64 && type.isAttentionStorage()) {
            forEachPlace((first, step, count) -> {
                for (int n = 0; n < count; n++) {
                    type.write(target, position[0], roundedToOdd(bytes.getLong(first + n * step)));
                    position[0] += type.bytes();
                }
            });
        } else {
            forEachRun((run, count) -> {
                ElementRuns.write(type, target, position[0], run, count);
                position[0] += count * type.bytes();
            });
        }
    }

    /**
     * A double whose last bit says that it is not exact: rounded once more, to fewer bits, it is what the integer itself
     * rounds to (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
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

    /** Visits all elements in row-major order, as many at a time as lie along the last axis, but no more than a run. */
    private void forEachRun(Run visitor) {
        double[] run = new double[(int) Math.min(MOST_OF_A_RUN, Math.max(1, layout.elementCount()))];
        forEachPlace((first, step, count) -> {
            ElementRuns.read(dtype, bytes, first, step, run, count);
            visitor.visit(run, count);
        });
    }

    private void forEachPlace(Place visitor) {
        if (layout.rank() == 0) {
            visitor.visit(byteOf(layout.offset), 0, 1);
            return;
        }
        int size = (int) Math.min(layout.shape[layout.rank() - 1], count());
        long stride = layout.strides[layout.rank() - 1];
        // Beyond an int only where there is but one element: else it would lie beyond the memory's end.
        int step = (int) (stride * dtype.bytes());
        layout.forEachRow(start -> {
            for (int first = 0; first < size; first += MOST_OF_A_RUN) {
                visitor.visit(byteOf(start + first * stride), step, Math.min(MOST_OF_A_RUN, size - first));
            }
        });
    }

    /** Gets some elements, from the array's start on. */
    private interface Run {
        void visit(double[] elements, int count);
    }

    /** Gets the byte at which some elements begin, and how many bytes they are apart. */
    private interface Place {
        void visit(int first, int step, int count);
    }

    private int byteOf(long at) {
        return Math.toIntExact(at * dtype.bytes());
    }
}
