package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.testing.LayerCheck;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** A layer that is called before it has weights makes them from its seed, as Keras distributes them. */
class InitializerTest {
    private static Map<String, Tensor> weights(LayerBuilder<?> builder) {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                AttentionLayer layer = builder.build(engine)) {
            LayerCheck.call(layer, Tensor.random(1, 1, 3, 24), Tensor.random(2, 1, 3, 40), Tensor.random(3, 1, 3, 32));
            return layer.weights().tensors();
        }
    }

    private static MultiHeadAttention.Builder layer() {
        return MultiHeadAttention.builder().heads(8).keyDim(16).valueDim(12).gate(true);
    }

    @Test
    void kernelsAreUniformWithinTheLimitOfTheirFans() {
        Map<String, Tensor> weights = weights(layer().seed(3));

        // Since Keras 3.15: all inputs that are summed, all outputs, whatever the kernel's axes.
        uniform(weights.get("query.kernel"), 24, 8 * 16);
        uniform(weights.get("key.kernel"), 32, 8 * 16);
        uniform(weights.get("value.kernel"), 40, 8 * 12);
        uniform(weights.get("gate.kernel"), 24, 8 * 12);
        uniform(weights.get("attention_output.kernel"), 8 * 12, 24);
        for (String bias :
                new String[] {"query.bias", "key.bias", "value.bias", "gate.bias", "attention_output.bias"}) {
            assertThat(weights.get(bias).toFloatArray()).as(bias).containsOnly(0);
        }
    }

    private static void uniform(Tensor kernel, int fanIn, int fanOut) {
        double limit = Math.sqrt(6.0 / (fanIn + fanOut));
        double[] elements = kernel.toDoubleArray();
        double largest = IntStream.range(0, elements.length)
                .mapToDouble(n -> Math.abs(elements[n]))
                .max()
                .orElseThrow();
        double variance = IntStream.range(0, elements.length)
                        .mapToDouble(n -> elements[n] * elements[n])
                        .sum()
                / elements.length;
        assertThat(largest).isLessThanOrEqualTo(limit).isGreaterThan(0.99 * limit);
        assertThat(variance).isBetween(0.9 * limit * limit / 3, 1.1 * limit * limit / 3);
    }

    @Test
    void theSeedDecides() {
        float[] first = weights(layer().seed(3)).get("query.kernel").toFloatArray();
        assertThat(weights(layer().seed(3)).get("query.kernel").toFloatArray()).isEqualTo(first);
        assertThat(weights(layer().seed(4)).get("query.kernel").toFloatArray()).isNotEqualTo(first);
        assertThat(weights(layer()).get("query.kernel").toFloatArray())
                .as("no seed: another each time")
                .isNotEqualTo(weights(layer()).get("query.kernel").toFloatArray());
        assertThat(weights(layer().seed(3)).get("gate.kernel").toFloatArray())
                .as("each weight draws for itself")
                .isNotEqualTo(weights(layer().seed(3)).get("value.kernel").toFloatArray());
    }

    @Test
    void theSeedThatWasDrawnCanBeAskedFor() {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                MultiHeadAttention drawn = layer().build(engine);
                MultiHeadAttention again = layer().seed(drawn.seed()).build(engine)) {
            Tensor input = Tensor.random(1, 1, 3, 24);
            assertThat(again.call(input, input).toFloatArray())
                    .isEqualTo(drawn.call(input, input).toFloatArray());
        }
    }

    @Test
    void anInitializerOfOnesOwn() {
        Initializer ones = (weight, fanIn, fanOut, random) -> {
            while (weight.hasRemaining()) {
                weight.put(fanIn == 24 ? 1 : 2);
            }
        };
        Map<String, Tensor> weights =
                weights(layer().kernelInitializer(Initializer.ZEROS).biasInitializer(ones));
        assertThat(weights.get("query.kernel").toFloatArray()).containsOnly(0);
        assertThat(weights.get("query.bias").toFloatArray()).containsOnly(1);
        assertThat(weights.get("attention_output.bias").toFloatArray()).containsOnly(2);
    }
}
