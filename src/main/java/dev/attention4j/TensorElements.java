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
    /** As {@link Tensor#get}. */
    double get(long... index) {
        return read(layout.position(index));
    }

    /** As {@link Tensor#toFloatArray}. */
    float[] toFloatArray() {
        float[] elements = new float[count()];
        if (dtype == DType.FLOAT32 && layout.isRowMajor()) {
            bytes.asFloatBuffer().get(Math.toIntExact(layout.offset), elements);
            return elements;
        }
        int[] n = {0};
        layout.forEachElement(at -> elements[n[0]++] = (float) read(at));
        return elements;
    }

    /** As {@link Tensor#toDoubleArray}. */
    double[] toDoubleArray() {
        double[] elements = new double[count()];
        int[] n = {0};
        layout.forEachElement(at -> elements[n[0]++] = read(at));
        return elements;
    }

    /** As {@link Tensor#toBooleanArray}. */
    boolean[] toBooleanArray() {
        boolean[] elements = new boolean[count()];
        int[] n = {0};
        layout.forEachElement(at -> elements[n[0]++] = read(at) != 0);
        return elements;
    }

    /**
     * Copies all of them, one after another from the target's start on.
     *
     * @param type how the target stores them; rounded to nearest where it has fewer bits
     * @param target room for all
     */
    void copyTo(DType type, ByteBuffer target) {
        int[] position = {0};
        int last = layout.rank() - 1;
        if (type == dtype && last >= 0 && layout.strides[last] == 1) {
            // Whole rows as they lie: nothing is converted, and heads that were inside cost next to nothing.
            int rowBytes = Math.toIntExact(layout.shape[last] * dtype.bytes());
            layout.forEachRow(start -> {
                target.put(position[0], bytes, byteOf(start), rowBytes);
                position[0] += rowBytes;
            });
        } else {
            layout.forEachElement(at -> {
                type.write(target, position[0], read(at));
                position[0] += type.bytes();
            });
        }
    }

    private int count() {
        return Math.toIntExact(layout.elementCount());
    }

    private double read(long at) {
        return dtype.read(bytes, byteOf(at));
    }

    private int byteOf(long at) {
        return Math.toIntExact(at * dtype.bytes());
    }
}
