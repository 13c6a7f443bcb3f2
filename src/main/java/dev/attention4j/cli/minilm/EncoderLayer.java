package dev.attention4j.cli.minilm;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.layers.MultiHeadAttention;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/** One layer of the model: attention, then feed-forward, each added to its input and normalized. */
final class EncoderLayer implements AutoCloseable {
    private final MultiHeadAttention attention;
    private final LayerNorm attentionNorm;
    private final FeedForward feedForward;
    private final LayerNorm outputNorm;

    /**
     * Reads the weights, and brings them to the engine.
     *
     * @param name the layer's name in the model
     * @param engine open, and not closed before the layer
     */
    EncoderLayer(OnnxWeights weights, String name, int heads, AttentionEngine engine) {
        LayerWeights attentionWeights = attentionWeights(weights, name + ".attention", heads);
        int keyDim =
                Math.toIntExact(attentionWeights.tensors().get("query.bias").size(1));
        attention = MultiHeadAttention.builder().heads(heads).keyDim(keyDim).build(engine);
        attention.load(attentionWeights);
        attentionNorm = new LayerNorm(weights, name + ".attention.output.LayerNorm");
        feedForward = new FeedForward(weights, name, engine);
        outputNorm = new LayerNorm(weights, name + ".output.LayerNorm");
    }

    /** The model's weights under Keras's names, each width in a row of heads as [heads, keyDim]. */
    private static LayerWeights attentionWeights(OnnxWeights weights, String module, int heads) {
        Map<String, Tensor> byName = new LinkedHashMap<>();
        for (String projection : new String[] {"query", "key", "value"}) {
            Tensor kernel = weights.tensor(module + ".self." + projection + ".kernel");
            long keyDim = kernel.size(1) / heads;
            byName.put(projection + ".kernel", kernel.reshape(kernel.size(0), heads, keyDim));
            byName.put(
                    projection + ".bias",
                    weights.tensor(module + ".self." + projection + ".bias").reshape(heads, keyDim));
        }
        Tensor output = weights.tensor(module + ".output.dense.kernel");
        byName.put("attention_output.kernel", output.reshape(heads, output.size(0) / heads, output.size(1)));
        byName.put("attention_output.bias", weights.tensor(module + ".output.dense.bias"));
        return LayerWeights.of(byName);
    }

    /**
     * Computes the layer.
     *
     * @param hidden [batch, length, width] on the host
     * @param keyMask [batch, length]: false at padding
     * @param scores is given the attention's weights, [batch, heads, length, length]; null if they are not wanted
     */
    Tensor apply(Tensor hidden, Tensor keyMask, Consumer<Tensor> scores) {
        AttentionInputs inputs = AttentionInputs.builder()
                .query(hidden)
                .value(hidden)
                .keyMask(keyMask)
                .scores(scores != null)
                .build();
        try (LayerResult attended = attention.call(inputs)) {
            if (scores != null) {
                scores.accept(attended.scores());
            }
            Tensor inner = addAndNormalize(attended.output(), hidden, attentionNorm);
            return addAndNormalize(feedForward.apply(inner), inner, outputNorm);
        }
    }

    private static Tensor addAndNormalize(Tensor change, Tensor to, LayerNorm norm) {
        FloatBuffer before = to.floats();
        return Rows.change(change, (number, row) -> {
            Rows.add(row, before, number);
            norm.apply(row);
        });
    }

    @Override
    public void close() {
        attention.close();
        feedForward.close();
    }
}
