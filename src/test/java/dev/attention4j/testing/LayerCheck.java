package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.AttentionLayer;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.LayerWeights;
import java.util.LinkedHashMap;
import java.util.Map;

/** Checks a layer's results against {@link PlainLayer}. */
public final class LayerCheck {
    private LayerCheck() {}

    /** Weights for a layer that is on no engine yet: random, biases too, so that a forgotten bias shows. */
    public static void randomise(AttentionLayer layer, AttentionInputs inputs, long seed) {
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
    public static void check(AttentionLayer layer, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask) {
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
    public static Tensor call(AttentionLayer layer, Tensor query, Tensor value, Tensor key) {
        return layer.call(AttentionInputs.builder()
                        .query(query)
                        .value(value)
                        .key(key)
                        .build())
                .output();
    }

    public static AttentionInputs withScores(AttentionInputs inputs) {
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

    /** Checks numbers by the rule of {@link YardstickCheck}. */
    public static void compare(String what, Tensor got, double[] exact, double[] plain) {
        float[] floats = new float[plain.length];
        for (int n = 0; n < floats.length; n++) {
            floats[n] = (float) plain[n];
        }
        YardstickCheck.compare(what, got, exact, floats);
    }
}
