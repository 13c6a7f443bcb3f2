package dev.attention4j.cli.minilm;

import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.stream.IntStream;

/** Brings a row to mean 0 and variance 1, then scales and shifts it (Ba et al., "Layer Normalization", 2016). */
final class LayerNorm {
    /** BERT's, in whose shape the model is. */
    private static final double EPSILON = 1e-12;

    private final float[] weight;
    private final float[] bias;

    /** Reads the weights of a module of the model. */
    LayerNorm(OnnxWeights weights, String module) {
        weight = weights.array(module + ".weight");
        bias = weights.array(module + ".bias");
    }

    /** Normalizes a row in place. */
    void apply(float[] row) {
        double sum = 0;
        for (float element : row) {
            sum += element;
        }
        double mean = sum / row.length;
        double squares = 0;
        for (float element : row) {
            squares += (element - mean) * (element - mean);
        }
        double scale = 1 / Math.sqrt(squares / row.length + EPSILON);
        for (int n = 0; n < row.length; n++) {
            row[n] = (float) ((row[n] - mean) * scale) * weight[n] + bias[n];
        }
    }

    /** Changes one row in place. */
    interface Change {
        void apply(int number, float[] row);
    }

    /** Changes each row of a tensor in place, on all cores; it is float32, row-major and on the host. */
    static Tensor changeRows(Tensor tensor, Change change) {
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
