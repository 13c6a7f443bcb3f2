package dev.attention4j.bench.peer;

import dev.attention4j.bench.LayerInputs;
import dev.attention4j.measure.LayerShape;
import java.util.ArrayList;
import java.util.List;

/** A layer as people write it by hand in Java: a task for each batch row. */
final class PlainJavaLayer extends PlainJava<LayerInputs> {
    PlainJavaLayer(int threads) {
        super(threads);
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        return new LayerCall(inputs);
    }

    private final class LayerCall extends LoopsCall {
        private final LayerShape shape;
        private final float[] input;
        private final float[] inputWeights;
        private final float[] inputBias;
        private final float[] outputWeights;
        private final float[] outputBias;

        LayerCall(LayerInputs inputs) {
            shape = inputs.shape();
            input = inputs.input().toFloatArray();
            inputWeights = inputs.inputWeights().toFloatArray();
            inputBias = inputs.inputBias().toFloatArray();
            outputWeights = inputs.outputWeights().toFloatArray();
            outputBias = inputs.outputBias().toFloatArray();
        }

        @Override
        int elements() {
            return shape.batch() * shape.length() * shape.width();
        }

        @Override
        List<Runnable> tasks(float[] result) {
            List<Runnable> tasks = new ArrayList<>();
            for (int batch = 0; batch < shape.batch(); batch++) {
                int first = batch * shape.length();
                tasks.add(() -> attend(first, result));
            }
            return tasks;
        }

        /** One batch row, whose first position is given. */
        private void attend(int first, float[] result) {
            int length = shape.length();
            int width = shape.width();
            int dim = width / shape.heads();
            float scale = (float) (1 / Math.sqrt(dim));
            float[] projected = new float[length * 3 * width];
            project(input, first * width, width, inputWeights, inputBias, projected, 0, length);
            float[] attended = new float[length * width];
            float[] scores = new float[length];
            for (int head = 0; head < width; head += dim) {
                for (int i = 0; i < length; i++) {
                    float max = Float.NEGATIVE_INFINITY;
                    for (int j = 0; j < length; j++) {
                        float dot = 0;
                        for (int d = 0; d < dim; d++) {
                            dot += projected[i * 3 * width + head + d] * projected[(3 * j + 1) * width + head + d];
                        }
                        scores[j] = dot * scale;
                        max = Math.max(max, scores[j]);
                    }
                    float sum = 0;
                    for (int j = 0; j < length; j++) {
                        scores[j] = (float) Math.exp(scores[j] - max);
                        sum += scores[j];
                    }
                    for (int j = 0; j < length; j++) {
                        float weight = scores[j] / sum;
                        for (int d = 0; d < dim; d++) {
                            attended[i * width + head + d] += weight * projected[(3 * j + 2) * width + head + d];
                        }
                    }
                }
            }
            project(attended, 0, width, outputWeights, outputBias, result, first * width, length);
        }

        private static void project(
                float[] from, int at, int inputs, float[] weights, float[] bias, float[] to, int toAt, int rows) {
            int columns = bias.length;
            for (int row = 0; row < rows; row++) {
                int sums = toAt + row * columns;
                System.arraycopy(bias, 0, to, sums, columns);
                for (int k = 0; k < inputs; k++) {
                    float element = from[at + row * inputs + k];
                    for (int n = 0; n < columns; n++) {
                        to[sums + n] += element * weights[k * columns + n];
                    }
                }
            }
        }
    }
}
