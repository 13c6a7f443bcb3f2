package dev.attention4j.cli.minilm;

import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.stream.IntStream;

/** What is done to each position by itself, on all cores. */
final class Rows {
    private Rows() {}

    /** Changes one row. */
    interface Change {
        /** Changes a row in place. */
        void apply(int number, float[] row);
    }

    /**
     * Changes each row of a tensor in place.
     *
     * @param tensor float32 on the host, row-major; the last axis is a row
     */
    static Tensor change(Tensor tensor, Change change) {
        int width = Math.toIntExact(tensor.size(-1));
        int rows = Math.toIntExact(tensor.elementCount() / width);
        FloatBuffer elements = tensor.floats();
        IntStream.range(0, rows).parallel().forEach(number -> {
            float[] row = new float[width];
            elements.get(number * width, row);
            change.apply(number, row);
            elements.put(number * width, row);
        });
        return tensor;
    }

    /** Adds a row of a table to a row. */
    static void add(float[] row, FloatBuffer table, int number) {
        int start = number * row.length;
        for (int n = 0; n < row.length; n++) {
            row[n] += table.get(start + n);
        }
    }
}
