package dev.attention4j.cli.minilm;

/** Brings a row to mean 0 and variance 1, then scales and shifts it (Ba et al., "Layer Normalization", 2016). */
final class LayerNorm {
    /** BERT's, in whose shape the model is. */
    private static final double EPSILON = 1e-12;

    private final float[] weight;
    private final float[] bias;

    /**
     * Reads the weights.
     *
     * @param module the module's name in the model
     */
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
}
