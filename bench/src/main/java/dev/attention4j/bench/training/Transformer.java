package dev.attention4j.bench.training;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.LayerGradients;
import dev.attention4j.layers.LayerTape;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.layers.Optimizer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A transformer, decoder or encoder, that learns:
 *
 * <pre>{@code
 * x = tokens[t] + positions[n]
 * of each block   x += attention(norm(x));  x += down(gelu(up(norm(x))))
 * scores = output(norm(x))                       at each token: a decoder
 * scores = output(mean of norm(x) over tokens)   an encoder
 * }</pre>
 *
 * <p>Attention and matrix products are attention4j's, on an engine where their weights stay; {@link Functions} has the rest.
 */
public final class Transformer implements AutoCloseable {
    private final AttentionEngine engine;
    private final TransformerShape shape;
    /** Embeddings and norms, on the host. */
    private final Map<String, Tensor> onHost = new LinkedHashMap<>();

    private final Map<String, Dense> dense = new LinkedHashMap<>();
    private final List<MultiHeadAttention> attention = new ArrayList<>();

    private Transformer(AttentionEngine engine, TransformerShape shape) {
        this.engine = engine;
        this.shape = shape;
    }

    /**
     * Copies weights to an engine.
     *
     * @param weights as {@link TransformerShape#weights} lists them
     * @param dropout the share of attention's weights that training drops
     * @return to be closed, before its engine
     */
    public static Transformer open(
            AttentionEngine engine, TransformerShape shape, Map<String, Tensor> weights, double dropout) {
        shape.weights().forEach((name, sizes) -> {
            Tensor tensor = weights.get(name);
            if (tensor == null || !Arrays.equals(tensor.shape(), sizes)) {
                throw new IllegalArgumentException("weights: " + name + " is " + tensor + ", must have the shape "
                        + Arrays.toString(sizes) + " for " + shape);
            }
        });
        Transformer model = new Transformer(engine, shape);
        try {
            for (int layer = 0; layer < shape.layers(); layer++) {
                String prefix = TransformerShape.block(layer, "attention.");
                Map<String, Tensor> ofLayer = new LinkedHashMap<>();
                weights.forEach((name, tensor) -> {
                    if (name.startsWith(prefix)) {
                        ofLayer.put(name.substring(prefix.length()), tensor);
                    }
                });
                MultiHeadAttention one = MultiHeadAttention.builder()
                        .heads(shape.heads())
                        .keyDim(shape.width() / shape.heads())
                        .dropout(dropout)
                        .build(engine);
                model.attention.add(one);
                one.load(LayerWeights.of(ofLayer));
            }
            for (String name : shape.weights().keySet()) {
                if (name.equals(TransformerShape.OUTPUT) || name.endsWith(".up") || name.endsWith(".down")) {
                    model.dense.put(name, new Dense(engine, weights.get(name)));
                } else if (!name.contains(".attention.")) {
                    model.onHost.put(name, copy(weights.get(name)));
                }
            }
            return model;
        } catch (RuntimeException | Error e) {
            model.close();
            throw e;
        }
    }

    private static Tensor copy(Tensor tensor) {
        return Tensor.of(tensor.toFloatArray(), tensor.shape());
    }

    TransformerShape shape() {
        return shape;
    }

    AttentionEngine engine() {
        return engine;
    }

    /** Returns the projections of a block's attention, by Keras's names. */
    Map<String, Tensor> attentionWeights(int layer) {
        return attention.get(layer).weights().tensors();
    }

    /** Returns copies of all weights, on the host. */
    public Map<String, Tensor> weights() {
        Map<String, Tensor> all = new LinkedHashMap<>();
        onHost.forEach((name, tensor) -> all.put(name, copy(tensor)));
        dense.forEach((name, one) -> all.put(name, engine.download(one.weights())));
        for (int layer = 0; layer < shape.layers(); layer++) {
            String prefix = TransformerShape.block(layer, "attention.");
            attentionWeights(layer).forEach((name, tensor) -> all.put(prefix + name, tensor));
        }
        return all;
    }

    // ---- forward

    /** The attention of a block in inference, from and to rows. */
    interface Attend {
        float[] attend(int layer, float... rows);
    }

    /** Returns the scores: [texts, length, outputs] of a decoder, [texts, outputs] of an encoder. */
    public float[] scores(Batch batch) {
        float[] x = hidden(embed(batch.tokens(), batch.length(), 0), (layer, rows) -> {
            try (Tensor output =
                    attention.get(layer).call(inputs(batch, rows, 0)).output()) {
                return output.toFloatArray();
            }
        });
        return output(shape.causal() ? x : mean(batch, x));
    }

    /** Returns the mean loss of a batch, without learning from it. */
    public double loss(Batch batch) {
        return Functions.crossEntropy(scores(batch), shape.outputs(), batch.targets());
    }

    /** All blocks and the last norm, in inference. */
    float[] hidden(float[] x, Attend attend) {
        int rows = x.length / shape.width();
        for (int layer = 0; layer < shape.layers(); layer++) {
            Functions.add(
                    x,
                    attend.attend(
                            layer, normalize(block(layer, "attention_norm"), x).output()));
            float[] up = dense(layer, "up")
                    .apply(normalize(block(layer, "feed_forward_norm"), x).output());
            Functions.add(x, dense(layer, "down").apply(Functions.gelu(up, rows, new float[up.length])));
        }
        return normalize(TransformerShape.NORM, x).output();
    }

    float[] output(float... x) {
        return dense.get(TransformerShape.OUTPUT).apply(x);
    }

    /**
     * Adds the embeddings of tokens and their positions.
     *
     * @param tokens [texts, length]
     * @param first the position of the first token of each text
     */
    float[] embed(int[] tokens, int length, int first) {
        int width = shape.width();
        if (first + length > shape.context()) {
            throw new IllegalArgumentException(
                    "tokens: " + (first + length) + " of a text, must be at most " + shape.context());
        }
        float[] x = new float[tokens.length * width];
        FloatBuffer ofTokens = onHost.get(TransformerShape.TOKENS).floats();
        FloatBuffer ofPositions = onHost.get(TransformerShape.POSITIONS).floats();
        for (int row = 0; row < tokens.length; row++) {
            int token = tokens[row];
            if (token < 0 || token >= shape.vocabulary()) {
                throw new IllegalArgumentException(
                        "token: " + token + ", must be from 0 to " + (shape.vocabulary() - 1));
            }
            int position = first + row % length;
            for (int n = 0; n < width; n++) {
                x[row * width + n] = ofTokens.get(token * width + n) + ofPositions.get(position * width + n);
            }
        }
        return x;
    }

    private static String block(int layer, String name) {
        return TransformerShape.block(layer, name);
    }

    private Dense dense(int layer, String name) {
        return dense.get(block(layer, name));
    }

    private Functions.Normalized normalize(String name, float... x) {
        return Functions.normalize(x, onHost.get(name).toFloatArray());
    }

    private AttentionInputs inputs(Batch batch, float[] rows, long dropoutSeed) {
        Tensor input = Tensor.of(rows, batch.texts(), batch.length(), shape.width());
        AttentionInputs.Builder inputs = AttentionInputs.builder()
                .query(input)
                .value(input)
                .causal(shape.causal())
                .dropoutSeed(dropoutSeed);
        if (!shape.causal()) {
            boolean[] there = new boolean[batch.tokens().length];
            for (int row = 0; row < there.length; row++) {
                there[row] = row % batch.length() < batch.lengths()[row / batch.length()];
            }
            inputs.valueMask(Tensor.of(there, batch.texts(), batch.length()));
        }
        return inputs.build();
    }

    /** Returns the mean of each text's rows, [texts, width]. */
    private float[] mean(Batch batch, float... x) {
        int width = shape.width();
        float[] means = new float[batch.texts() * width];
        for (int text = 0; text < batch.texts(); text++) {
            for (int row = 0; row < batch.lengths()[text]; row++) {
                int from = (text * batch.length() + row) * width;
                for (int n = 0; n < width; n++) {
                    means[text * width + n] += x[from + n] / batch.lengths()[text];
                }
            }
        }
        return means;
    }

    private float[] meanGradient(Batch batch, float... byMeans) {
        int width = shape.width();
        float[] byRows = new float[batch.tokens().length * width];
        for (int text = 0; text < batch.texts(); text++) {
            for (int row = 0; row < batch.lengths()[text]; row++) {
                int from = (text * batch.length() + row) * width;
                for (int n = 0; n < width; n++) {
                    byRows[from + n] = byMeans[text * width + n] / batch.lengths()[text];
                }
            }
        }
        return byRows;
    }

    // ---- learning

    /**
     * The loss of a batch and its gradients by all weights.
     *
     * @param loss the mean over all answers
     * @param weights by name, those of attention aside
     * @param attention of each block
     */
    public record Gradients(double loss, Map<String, Tensor> weights, List<LayerGradients> attention)
            implements AutoCloseable {
        /** Returns all of them by the names of {@link TransformerShape#weights}. */
        public Map<String, Tensor> all() {
            Map<String, Tensor> all = new LinkedHashMap<>(weights);
            for (int layer = 0; layer < attention.size(); layer++) {
                String prefix = block(layer, "attention.");
                attention.get(layer).weights().forEach((name, tensor) -> all.put(prefix + name, tensor));
            }
            return all;
        }

        @Override
        public void close() {
            weights.values().forEach(Tensor::close);
            attention.forEach(LayerGradients::close);
        }
    }

    /** The numbers of a block's forward pass that its gradients are computed from. */
    @SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
    private record BlockTape(
            Functions.Normalized attentionNorm,
            LayerTape attention,
            Functions.Normalized feedForwardNorm,
            float[] up,
            float[] gates,
            float[] activated) {}

    /**
     * Computes the loss of a batch and its gradients.
     *
     * @param dropoutSeed another one at each step
     */
    public Gradients gradients(Batch batch, long dropoutSeed) {
        List<BlockTape> tapes = new ArrayList<>();
        Gradients gradients = new Gradients(0, new LinkedHashMap<>(), new ArrayList<>());
        try {
            int rows = batch.tokens().length;
            float[] x = embed(batch.tokens(), batch.length(), 0);
            for (int layer = 0; layer < shape.layers(); layer++) {
                tapes.add(forward(batch, layer, x, dropoutSeed * shape.layers() + layer));
            }
            Functions.Normalized last = normalize(TransformerShape.NORM, x);
            float[] input = shape.causal() ? last.output() : mean(batch, last.output());
            float[] scores = output(input);
            double loss = Functions.crossEntropy(scores, shape.outputs(), batch.targets());
            float[] by = backward(TransformerShape.OUTPUT, input, scores, gradients);
            by = normalizeGradient(
                    TransformerShape.NORM, last, shape.causal() ? by : meanGradient(batch, by), gradients);
            for (int layer = shape.layers() - 1; layer >= 0; layer--) {
                backward(layer, tapes.get(layer), rows, by, gradients);
            }
            embedGradients(batch, by, gradients);
            return new Gradients(loss, gradients.weights, gradients.attention);
        } catch (RuntimeException | Error e) {
            gradients.close();
            throw e;
        } finally {
            tapes.forEach(tape -> tape.attention.close());
        }
    }

    private BlockTape forward(Batch batch, int layer, float[] x, long dropoutSeed) {
        Functions.Normalized attentionNorm = normalize(block(layer, "attention_norm"), x);
        LayerTape tape = attention.get(layer).callForGradients(inputs(batch, attentionNorm.output(), dropoutSeed));
        Functions.add(x, tape.output().toFloatArray());
        Functions.Normalized feedForwardNorm = normalize(block(layer, "feed_forward_norm"), x);
        float[] up = dense(layer, "up").apply(feedForwardNorm.output());
        float[] gates = new float[up.length];
        float[] activated = Functions.gelu(up, batch.tokens().length, gates);
        Functions.add(x, dense(layer, "down").apply(activated));
        return new BlockTape(attentionNorm, tape, feedForwardNorm, up, gates, activated);
    }

    /** Goes back through a block: the gradient of its output becomes that of its input. */
    private void backward(int layer, BlockTape tape, int rows, float[] by, Gradients gradients) {
        float[] byActivated = backward(block(layer, "down"), tape.activated, by, gradients);
        float[] byUp = Functions.geluGradient(tape.up, rows, tape.gates, byActivated);
        float[] byNorm = backward(block(layer, "up"), tape.feedForwardNorm.output(), byUp, gradients);
        Functions.add(
                by, normalizeGradient(block(layer, "feed_forward_norm"), tape.feedForwardNorm, byNorm, gradients));
        LayerGradients ofLayer =
                tape.attention.gradients(Tensor.of(by, tape.attention.output().shape()));
        // Blocks come last first.
        gradients.attention.add(0, ofLayer);
        byNorm = ofLayer.query().toFloatArray();
        Functions.add(by, normalizeGradient(block(layer, "attention_norm"), tape.attentionNorm, byNorm, gradients));
    }

    private float[] backward(String name, float[] input, float[] byOutput, Gradients gradients) {
        Dense one = dense.get(name);
        gradients.weights.put(name, one.weightGradient(input, byOutput));
        return one.inputGradient(byOutput);
    }

    private float[] normalizeGradient(String name, Functions.Normalized was, float[] byOutput, Gradients gradients) {
        float[] byWeights = new float[2 * shape.width()];
        float[] byInput =
                Functions.normalizeGradient(was, byOutput, onHost.get(name).toFloatArray(), byWeights);
        gradients.weights.put(name, Tensor.of(byWeights, 2, shape.width()));
        return byInput;
    }

    private void embedGradients(Batch batch, float[] by, Gradients gradients) {
        int width = shape.width();
        float[] byTokens = new float[shape.vocabulary() * width];
        float[] byPositions = new float[shape.context() * width];
        for (int row = 0; row < batch.tokens().length; row++) {
            int token = batch.tokens()[row] * width;
            int position = row % batch.length() * width;
            for (int n = 0; n < width; n++) {
                byTokens[token + n] += by[row * width + n];
                byPositions[position + n] += by[row * width + n];
            }
        }
        gradients.weights.put(TransformerShape.TOKENS, Tensor.of(byTokens, shape.vocabulary(), width));
        gradients.weights.put(TransformerShape.POSITIONS, Tensor.of(byPositions, shape.context(), width));
    }

    /** Steps all weights where they are. */
    public void step(Optimizer optimizer, Gradients gradients) {
        Map<String, Tensor> weights = new LinkedHashMap<>(onHost);
        dense.forEach((name, one) -> weights.put(name, one.weights()));
        optimizer.step(weights, gradients.weights);
        dense.values().forEach(Dense::changed);
        for (int layer = 0; layer < shape.layers(); layer++) {
            attention.get(layer).step(optimizer, block(layer, "attention."), gradients.attention.get(layer));
        }
    }

    @Override
    public void close() {
        dense.values().forEach(Dense::close);
        attention.forEach(MultiHeadAttention::close);
    }
}
