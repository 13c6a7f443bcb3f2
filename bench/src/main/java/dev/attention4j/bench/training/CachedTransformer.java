package dev.attention4j.bench.training;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.KeyValueCache;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A decoder that writes texts side by side: keys and values of the tokens so far are in caches, so that a step costs one token. */
public final class CachedTransformer implements AutoCloseable {
    private static final Attention CAUSAL = Attention.causal(Alignment.BOTTOM_RIGHT);

    private final Transformer model;
    private final Projector projector;
    private final int texts;
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final List<Layer> layers = new ArrayList<>();
    private int length;

    private record Layer(List<Projector.Projection> toHeads, Projector.Projection fromHeads, KeyValueCache cache) {}

    private CachedTransformer(Transformer model, int texts) {
        this.model = model;
        this.texts = texts;
        projector = model.engine().projector();
    }

    /**
     * Opens a cache for each block.
     *
     * @param model a decoder, whose weights do not change and which is not closed before this
     * @param texts that are written side by side
     */
    public static CachedTransformer open(Transformer model, int texts) {
        if (!model.shape().causal()) {
            throw new IllegalArgumentException("model: an encoder, must be a decoder to write");
        }
        CachedTransformer writer = new CachedTransformer(model, texts);
        try {
            for (int layer = 0; layer < model.shape().layers(); layer++) {
                writer.addLayer(model.attentionWeights(layer));
            }
            return writer;
        } catch (RuntimeException | Error e) {
            writer.close();
            throw e;
        }
    }

    private void addLayer(Map<String, Tensor> weights) {
        TransformerShape shape = model.shape();
        int headDim = shape.width() / shape.heads();
        List<Projector.Projection> toHeads = new ArrayList<>();
        for (String name : List.of("query", "key", "value")) {
            toHeads.add(projector.prepare(weights.get(name + ".kernel"), weights.get(name + ".bias")));
            opened.add(toHeads.get(toHeads.size() - 1));
        }
        Projector.Projection fromHeads = projector.prepare(
                weights.get("attention_output.kernel").reshape(shape.width(), 1, shape.width()),
                weights.get("attention_output.bias").reshape(1, shape.width()));
        opened.add(fromHeads);
        KeyValueCache cache =
                KeyValueCache.open(model.engine(), CacheShape.of(texts, shape.heads(), shape.context(), headDim));
        opened.add(cache);
        layers.add(new Layer(toHeads, fromHeads, cache));
    }

    /** Returns how many tokens each text has. */
    public int length() {
        return length;
    }

    /**
     * Adds a token to each text.
     *
     * @param tokens one for each text
     * @return what may follow: scores, [texts, vocabulary]
     */
    public float[] next(int... tokens) {
        if (tokens.length != texts) {
            throw new IllegalArgumentException("tokens: " + tokens.length + ", must be one of each text, " + texts);
        }
        float[] x = model.embed(tokens, 1, length);
        float[] scores = model.output(model.hidden(x, this::attend));
        length++;
        return scores;
    }

    private float[] attend(int layer, float... rows) {
        Layer one = layers.get(layer);
        Tensor input = Tensor.of(rows, texts, 1, model.shape().width());
        List<Tensor> heads = projector.toHeads(input, one.toHeads);
        try (AttentionResult result = one.cache.attend(heads.get(0), heads.get(1), heads.get(2), CAUSAL);
                Tensor output = projector.fromHeads(result.output(), null, one.fromHeads)) {
            return output.toFloatArray();
        } finally {
            heads.forEach(Tensor::close);
        }
    }

    @Override
    public void close() {
        for (int n = opened.size() - 1; n >= 0; n--) {
            try {
                opened.get(n).close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
