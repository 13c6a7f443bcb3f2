package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/** A layer's results against {@link PlainLayer}, by the rule that {@link Deviation} knows. */
final class LayerCheck {
    private LayerCheck() {}

    /** Weights for a layer that is on no engine yet: random, biases too, so that a forgotten bias shows. */
    static void randomise(AttentionLayer layer, AttentionInputs inputs, long seed) {
        layer.initialize(
                inputs.query().size(-1), inputs.value().size(-1), inputs.key().size(-1));
        Map<String, Tensor> random = new LinkedHashMap<>();
        layer.weights().tensors().forEach((name, tensor) -> {
            Tensor noise = Tensor.random(seed + random.size(), tensor.shape());
            for (int n = 0; n < noise.elementCount(); n++) {
                noise.floats().put(n, noise.floats().get(n) * 0.3f);
            }
            random.put(name, noise);
        });
        layer.load(LayerWeights.of(random));
    }

    /** Calls the layer as asked and with scores, and checks both. */
    static void check(AttentionLayer layer, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask) {
        Map<String, Tensor> weights = layer.weights().tensors();
        PlainLayer exact = PlainLayer.inDouble(weights, inputs.query(), inputs.value(), inputs.key(), axes, mask);
        PlainLayer plain = PlainLayer.inFloat(weights, inputs.query(), inputs.value(), inputs.key(), axes, mask);
        for (boolean scores : new boolean[] {false, true}) {
            AttentionInputs asked = scores ? withScores(inputs) : inputs;
            try (LayerResult result = layer.call(asked)) {
                assertThat(result.output().dtype()).isEqualTo(inputs.query().dtype());
                compare("output", result.output(), exact.output, plain.output);
                if (scores) {
                    assertThat(result.scores().dtype()).isEqualTo(DType.FLOAT32);
                    compare("scores", result.scores(), exact.scores, plain.scores);
                }
            }
        }
    }

    /** A call with query, value and key of their own. */
    static Tensor call(AttentionLayer layer, Tensor query, Tensor value, Tensor key) {
        return layer.call(AttentionInputs.builder()
                        .query(query)
                        .value(value)
                        .key(key)
                        .build())
                .output();
    }

    static AttentionInputs withScores(AttentionInputs inputs) {
        return AttentionInputs.builder()
                .query(inputs.query())
                .value(inputs.value())
                .key(inputs.key())
                .queryMask(inputs.queryMask().orElse(null))
                .valueMask(inputs.valueMask().orElse(null))
                .keyMask(inputs.keyMask().orElse(null))
                .attentionMask(inputs.attentionMask().orElse(null))
                .causal(inputs.isCausal())
                .scores(true)
                .build();
    }

    static void compare(String what, Tensor got, double[] exact, double[] plain) {
        double[] actual = got.toDoubleArray();
        assertThat(actual.length).as(what).isEqualTo(exact.length);
        assertThat(new Deviation(what, largest(actual, exact), largest(plain, exact), ""))
                .matches(Deviation::isAllowed);
    }

    private static double largest(double[] got, double[] want) {
        // A NaN anywhere makes the maximum NaN, which is not allowed.
        return IntStream.range(0, got.length)
                .mapToDouble(n -> Math.abs(got[n] - want[n]))
                .reduce(0, Math::max);
    }
}
