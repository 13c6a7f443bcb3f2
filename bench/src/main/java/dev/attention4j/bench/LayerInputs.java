package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.measure.LayerShape;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A layer and the tensors that every contender gets. Query, key and value weights lie next to each other, as PyTorch and
 * ONNX have them.
 *
 * @param input [batch, length, width]
 * @param inputWeights [width, 3 · width], float32: query, key, value
 * @param inputBias [3 · width], float32
 * @param outputWeights [width, width], float32
 * @param outputBias [width], float32
 */
public record LayerInputs(
        LayerShape shape, Tensor input, Tensor inputWeights, Tensor inputBias, Tensor outputWeights, Tensor outputBias)
        implements Workload {
    /** Makes the tensors. */
    public static LayerInputs of(LayerShape shape, DType dtype) {
        int width = shape.width();
        return new LayerInputs(
                shape,
                Inputs.normal(1, shape.batch(), shape.length(), width).to(dtype),
                weights(2, width, 3 * width),
                Inputs.normal(3, 3L * width),
                weights(4, width, width),
                Inputs.normal(5, width));
    }

    /** Of a size that keeps results near those that went in. */
    static Tensor weights(long seed, int inputs, int outputs) {
        Tensor weights = Inputs.normal(seed, inputs, outputs);
        FloatBuffer floats = weights.floats();
        float scale = (float) (1 / Math.sqrt(inputs));
        for (int n = 0; n < floats.capacity(); n++) {
            floats.put(n, scale * floats.get(n));
        }
        return weights;
    }

    @Override
    public DType dtype() {
        return input.dtype();
    }

    /** The weights as this library's layer takes them. */
    public LayerWeights layerWeights() {
        long width = shape.width();
        long heads = shape.heads();
        Map<String, Tensor> weights = new LinkedHashMap<>();
        List<String> names = List.of("query", "key", "value");
        for (int n = 0; n < names.size(); n++) {
            Tensor kernel = inputWeights.slice(1, n * width, (n + 1) * width).contiguous();
            Tensor bias = inputBias.slice(0, n * width, (n + 1) * width).contiguous();
            weights.put(names.get(n) + ".kernel", kernel.reshape(width, heads, width / heads));
            weights.put(names.get(n) + ".bias", bias.reshape(heads, width / heads));
        }
        weights.put("attention_output.kernel", outputWeights.reshape(heads, width / heads, width));
        weights.put("attention_output.bias", outputBias);
        return LayerWeights.of(weights);
    }

    /** Keys and values of a batch row are needed for any of its positions: samples are from the first and the last. */
    @Override
    public ExpectedResult expected() {
        int length = shape.length();
        int width = shape.width();
        float[] elements = input.toFloatArray();
        DenseOracle into = new DenseOracle(inputWeights.toFloatArray(), inputBias.toFloatArray());
        DenseOracle out = new DenseOracle(outputWeights.toFloatArray(), outputBias.toFloatArray());
        Map<Integer, double[][]> keysAndValues = new LinkedHashMap<>();
        for (int batch : new int[] {0, shape.batch() - 1}) {
            keysAndValues.computeIfAbsent(batch, row -> IntStream.range(0, length)
                    .parallel()
                    .mapToObj(at -> into.project(elements, (row * length + at) * width, width, width, 3 * width))
                    .toArray(double[][]::new));
        }
        int step = Math.max(1, length / 32);
        return ExpectedResult.of(
                dtype(),
                shape.batch() * length,
                width,
                row -> keysAndValues.containsKey(row / length)
                        && (row % length % step == 0 || row % length == length - 1),
                row -> {
                    double[] query = into.project(elements, row * width, width, 0, width);
                    return out.project(attend(query, keysAndValues.get(row / length)), 0, width);
                });
    }

    /** One position's attention in all heads, by the textbook. */
    private double[] attend(double[] query, double[][] keysAndValues) {
        int width = shape.width();
        int dim = shape.headDim();
        double[] attended = new double[width];
        double[] weights = new double[keysAndValues.length];
        for (int head = 0; head < width; head += dim) {
            double max = Double.NEGATIVE_INFINITY;
            for (int key = 0; key < weights.length; key++) {
                double dot = 0;
                for (int d = head; d < head + dim; d++) {
                    dot += query[d] * keysAndValues[key][d];
                }
                weights[key] = dot / Math.sqrt(dim);
                max = Math.max(max, weights[key]);
            }
            double sum = 0;
            for (int key = 0; key < weights.length; key++) {
                weights[key] = Math.exp(weights[key] - max);
                sum += weights[key];
            }
            for (int key = 0; key < weights.length; key++) {
                for (int d = head; d < head + dim; d++) {
                    attended[d] += weights[key] / sum * keysAndValues[key][width + d];
                }
            }
        }
        return attended;
    }
}
