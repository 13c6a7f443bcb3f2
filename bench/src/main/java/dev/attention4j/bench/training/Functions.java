package dev.attention4j.bench.training;

import java.util.stream.IntStream;

/**
 * The parts of a transformer other than attention and matrix products, with their gradients: layer normalisation, GELU and the
 * cross-entropy of a softmax. Rows are computed in parallel, each by one thread; sums over rows are made in their order. So the bits
 * do not depend on the number of threads.
 */
final class Functions {
    private static final double EPSILON = 1e-5;

    /** 2 √(2 / π), and the cube's factor: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016. */
    private static final float GELU = (float) (2 * Math.sqrt(2 / Math.PI));

    private static final float GELU_CUBE = 0.044715f;

    private Functions() {}

    /**
     * A layer normalisation, and what its gradients need.
     *
     * @param output normal · scale + shift
     * @param normal each row with a mean of 0 and a variance of 1
     * @param inverse of each row's deviation
     */
    @SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
    record Normalized(float[] output, float[] normal, float[] inverse) {}

    /**
     * Normalises rows.
     *
     * @param weights [2, width]: scale, shift
     */
    static Normalized normalize(float[] input, float... weights) {
        int width = weights.length / 2;
        int rows = input.length / width;
        float[] output = new float[input.length];
        float[] normal = new float[input.length];
        float[] inverse = new float[rows];
        IntStream.range(0, rows).parallel().forEach(row -> {
            int from = row * width;
            double sum = 0;
            for (int n = 0; n < width; n++) {
                sum += input[from + n];
            }
            float mean = (float) (sum / width);
            double squares = 0;
            for (int n = 0; n < width; n++) {
                double difference = input[from + n] - mean;
                squares += difference * difference;
            }
            float factor = (float) (1 / Math.sqrt(squares / width + EPSILON));
            for (int n = 0; n < width; n++) {
                float one = (input[from + n] - mean) * factor;
                normal[from + n] = one;
                output[from + n] = one * weights[n] + weights[width + n];
            }
            inverse[row] = factor;
        });
        return new Normalized(output, normal, inverse);
    }

    /**
     * Returns the gradient of the input. With h the output's gradient times the scale, and n the normalised row, it is (h − mean(h)
     * − n · mean(h · n)) / deviation.
     *
     * @param byWeights receives the gradient of the weights, [2, width]
     */
    static float[] normalizeGradient(Normalized was, float[] byOutput, float[] weights, float[] byWeights) {
        int width = weights.length / 2;
        int rows = byOutput.length / width;
        float[] byInput = new float[byOutput.length];
        IntStream.range(0, rows).parallel().forEach(row -> {
            int from = row * width;
            double sum = 0;
            double withNormal = 0;
            for (int n = 0; n < width; n++) {
                double scaled = byOutput[from + n] * weights[n];
                sum += scaled;
                withNormal += scaled * was.normal[from + n];
            }
            float mean = (float) (sum / width);
            float slope = (float) (withNormal / width);
            float factor = was.inverse[row];
            for (int n = 0; n < width; n++) {
                byInput[from + n] = (byOutput[from + n] * weights[n] - mean - was.normal[from + n] * slope) * factor;
            }
        });
        for (int from = 0; from < byOutput.length; from += width) {
            for (int n = 0; n < width; n++) {
                byWeights[n] += byOutput[from + n] * was.normal[from + n];
                byWeights[width + n] += byOutput[from + n];
            }
        }
        return byInput;
    }

    /**
     * Returns x · σ(2 √(2 / π) (x + 0.044715 x³)), GELU by its usual approximation.
     *
     * @param rows that are computed side by side; divides the input
     * @param gates receives the logistic function's values, for the gradient
     */
    static float[] gelu(float[] input, int rows, float[] gates) {
        float[] output = new float[input.length];
        int width = input.length / rows;
        IntStream.range(0, rows).parallel().forEach(row -> {
            for (int n = row * width; n < (row + 1) * width; n++) {
                float x = input[n];
                float gate = (float) (1 / (1 + Math.exp(-GELU * (x + GELU_CUBE * x * x * x))));
                gates[n] = gate;
                output[n] = x * gate;
            }
        });
        return output;
    }

    /** Returns the gradient of the input of {@link #gelu}. */
    static float[] geluGradient(float[] input, int rows, float[] gates, float[] byOutput) {
        float[] byInput = new float[input.length];
        int width = input.length / rows;
        IntStream.range(0, rows).parallel().forEach(row -> {
            for (int n = row * width; n < (row + 1) * width; n++) {
                float x = input[n];
                float gate = gates[n];
                float slope = GELU * (1 + 3 * GELU_CUBE * x * x);
                byInput[n] = byOutput[n] * (gate + x * gate * (1 - gate) * slope);
            }
        });
        return byInput;
    }

    /**
     * Returns the mean, over the rows that have an answer, of −log softmax(scores)[answer].
     *
     * @param scores [rows, outputs]; their gradient takes their place
     * @param targets the answer of each row, or {@link Batch#NONE}
     */
    static double crossEntropy(float[] scores, int outputs, int... targets) {
        long count =
                IntStream.of(targets).filter(target -> target != Batch.NONE).count();
        double[] losses = new double[targets.length];
        IntStream.range(0, targets.length).parallel().forEach(row -> {
            int from = row * outputs;
            if (targets[row] == Batch.NONE) {
                for (int n = 0; n < outputs; n++) {
                    scores[from + n] = 0;
                }
                return;
            }
            float largest = Float.NEGATIVE_INFINITY;
            for (int n = 0; n < outputs; n++) {
                largest = Math.max(largest, scores[from + n]);
            }
            double sum = 0;
            for (int n = 0; n < outputs; n++) {
                sum += Math.exp(scores[from + n] - largest);
            }
            double logSum = largest + Math.log(sum);
            losses[row] = logSum - scores[from + targets[row]];
            for (int n = 0; n < outputs; n++) {
                double share = Math.exp(scores[from + n] - logSum);
                scores[from + n] = (float) ((share - (n == targets[row] ? 1 : 0)) / count);
            }
        });
        double loss = 0;
        for (double one : losses) {
            loss += one;
        }
        return loss / count;
    }

    /** Adds numbers to others in place. */
    static void add(float[] numbers, float... further) {
        for (int n = 0; n < numbers.length; n++) {
            numbers[n] += further[n];
        }
    }
}
