package dev.attention4j.cli.minilm;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.layers.MultiHeadAttention;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** One layer of the model: attention, then feed-forward, each added to its input and normalized. */
final class EncoderLayer implements AutoCloseable {
    /** From here on the error function is 1 in double precision. */
    private static final double ONE_FROM = 5.9;

    private final AttentionEngine engine;
    private final MultiHeadAttention attention;
    private final LayerNorm attentionNorm;
    private final Projector projector;
    private final Projection widen;
    private final Projection narrow;
    private final LayerNorm outputNorm;

    /** Reads the weights by the layer's name in the model and brings them to an engine, which is open until after this is closed. */
    EncoderLayer(OnnxWeights weights, String name, int heads, AttentionEngine engine) {
        this.engine = engine;
        LayerWeights attentionWeights = attentionWeights(weights, name + ".attention", heads);
        int keyDim =
                Math.toIntExact(attentionWeights.tensors().get("query.bias").size(1));
        attention = MultiHeadAttention.builder().heads(heads).keyDim(keyDim).build(engine);
        attention.load(attentionWeights);
        attentionNorm = new LayerNorm(weights, name + ".attention.output.LayerNorm");
        projector = engine.projector();
        widen = projection(weights, name + ".intermediate.dense");
        narrow = projection(weights, name + ".output.dense");
        outputNorm = new LayerNorm(weights, name + ".output.LayerNorm");
    }

    /** A linear module is a projection into one head. */
    private Projection projection(OnnxWeights weights, String module) {
        Tensor kernel = weights.tensor(module + ".kernel");
        Tensor bias = weights.tensor(module + ".bias");
        return projector.prepare(kernel.reshape(kernel.size(0), 1, kernel.size(1)), bias.reshape(1, bias.size(0)));
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
            return addAndNormalize(feedForward(inner), inner, outputNorm);
        }
    }

    /** Each position by itself is expanded four times, passed through GELU and projected back. */
    private Tensor feedForward(Tensor hidden) {
        try (Tensor wide = project(hidden, widen)) {
            return project(LayerNorm.changeRows(wide, (number, row) -> gelu(row)), narrow);
        }
    }

    private Tensor project(Tensor rows, Projection projection) {
        try (Tensor projected = projector.toHeads(rows, List.of(projection)).get(0)) {
            return engine.download(projected).reshape(rows.size(0), rows.size(1), projected.size(-1));
        }
    }

    /** x · Φ(x), with Φ the normal distribution (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016). */
    private static void gelu(float[] row) {
        for (int n = 0; n < row.length; n++) {
            row[n] *= (float) (0.5 * (1 + erf(row[n] * Math.sqrt(0.5))));
        }
    }

    /** The error function, by 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ⋯ (2n + 1)), whose terms have one sign. */
    static double erf(double x) {
        if (Math.abs(x) >= ONE_FROM) {
            return Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    private static Tensor addAndNormalize(Tensor change, Tensor to, LayerNorm norm) {
        FloatBuffer before = to.floats();
        return LayerNorm.changeRows(change, (number, row) -> {
            LayerNorm.add(row, before, number);
            norm.apply(row);
        });
    }

    @Override
    public void close() {
        attention.close();
        widen.close();
        narrow.close();
    }
}
