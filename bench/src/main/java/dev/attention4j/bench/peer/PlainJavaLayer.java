package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.LayerInputs;
import dev.attention4j.bench.LayerShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** A layer as people write it by hand in Java: float arrays and loops, a task for each batch row. */
final class PlainJavaLayer implements Contender<LayerInputs> {
    private final ExecutorService threads;

    PlainJavaLayer(int threads) {
        this.threads = Executors.newFixedThreadPool(threads, task -> {
            Thread thread = new Thread(task, "plain-java");
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public String name() {
        return "plain-java";
    }

    @Override
    public String plan() {
        return "loops";
    }

    @Override
    public boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(LayerInputs inputs) {
        return inputs.dtype() == DType.FLOAT32
                ? Optional.empty()
                : Optional.of("float arrays hold float32, not " + inputs.dtype());
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        return new LoopsCall(inputs);
    }

    @Override
    public void close() {
        threads.shutdown();
    }

    private final class LoopsCall implements Call {
        private final LayerShape shape;
        private final float[] input;
        private final float[] inputWeights;
        private final float[] inputBias;
        private final float[] outputWeights;
        private final float[] outputBias;
        private float[] output;

        LoopsCall(LayerInputs inputs) {
            shape = inputs.shape();
            input = inputs.input().toFloatArray();
            inputWeights = inputs.inputWeights().toFloatArray();
            inputBias = inputs.inputBias().toFloatArray();
            outputWeights = inputs.outputWeights().toFloatArray();
            outputBias = inputs.outputBias().toFloatArray();
        }

        @Override
        public void run() {
            float[] result = new float[shape.batch() * shape.length() * shape.width()];
            List<Future<?>> tasks = new ArrayList<>();
            for (int batch = 0; batch < shape.batch(); batch++) {
                int first = batch * shape.length();
                tasks.add(threads.submit(() -> attend(first, result)));
            }
            for (Future<?> task : tasks) {
                try {
                    task.get();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("interrupted", e);
                } catch (ExecutionException e) {
                    throw new IllegalStateException(e.getCause());
                }
            }
            output = result;
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

        @Override
        public float[] output() {
            return output;
        }

        @Override
        public void close() {
            output = null;
        }
    }
}
