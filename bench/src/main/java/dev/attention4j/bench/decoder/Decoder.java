package dev.attention4j.bench.decoder;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.KeyValueCache;
import dev.attention4j.Projector;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A decoder-only model on an engine, for texts that grow side by side. A layer is attention over a cache of rotated keys, then
 * a gated feed-forward; the input of both is normalised by its root mean square (Touvron et al., "LLaMA", 2023). The engine
 * computes projections, rotation and attention; Java normalises, adds and multiplies element by element.
 */
public final class Decoder implements AutoCloseable {
    private static final Attention CAUSAL = Attention.causal(Alignment.BOTTOM_RIGHT);

    private final AttentionEngine engine;
    private final DecoderShape shape;
    private final int sequences;
    private final Projector projector;
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final List<Layer> layers = new ArrayList<>();
    private final Tensor embeddings;
    private final float[] norm;
    private final Projector.Projection output;
    private long attentionNanos;

    /** The weights and the cache of one layer. */
    @SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
    private record Layer(
            float[] attentionNorm,
            List<Projector.Projection> toHeads,
            KeyValueCache cache,
            Projector.Projection fromHeads,
            float[] feedForwardNorm,
            List<Projector.Projection> gateAndUp,
            Projector.Projection down) {}

    private Decoder(AttentionEngine engine, DecoderShape shape, DecoderWeights weights, int sequences) {
        this.engine = engine;
        this.shape = shape;
        this.sequences = sequences;
        projector = engine.projector();
        embeddings = weights.tensor(DecoderWeights.EMBEDDINGS);
        norm = weights.tensor(DecoderWeights.NORM).toFloatArray();
        output = prepare(weights.tensor(DecoderWeights.OUTPUT), 1);
    }

    /**
     * Copies the weights to an engine and opens a cache for each layer.
     *
     * @param sequences texts that grow side by side
     * @param capacity the most tokens of a text
     * @param cacheType how keys and values are stored
     * @return to be closed, before its engine
     */
    public static Decoder open(
            AttentionEngine engine,
            DecoderShape shape,
            DecoderWeights weights,
            int sequences,
            int capacity,
            DType cacheType) {
        Decoder decoder = new Decoder(engine, shape, weights, sequences);
        try {
            CacheShape cache = CacheShape.of(sequences, shape.keyValueHeads(), capacity, shape.headDim())
                    .withTypes(cacheType, cacheType);
            RotaryEmbedding rotary = RotaryEmbedding.builder(shape.headDim(), capacity)
                    .base(shape.rotaryBase())
                    .build();
            for (int layer = 0; layer < shape.layers(); layer++) {
                decoder.addLayer(layer, weights, cache, rotary);
            }
            return decoder;
        } catch (RuntimeException | Error e) {
            decoder.close();
            throw e;
        }
    }

    private void addLayer(int layer, DecoderWeights weights, CacheShape cacheShape, RotaryEmbedding rotary) {
        KeyValueCache cache = KeyValueCache.open(engine, cacheShape, rotary);
        opened.add(cache);
        layers.add(new Layer(
                of(weights, layer, DecoderWeights.ATTENTION_NORM).toFloatArray(),
                List.of(
                        prepare(of(weights, layer, DecoderWeights.QUERY), shape.queryHeads()),
                        prepare(of(weights, layer, DecoderWeights.KEY), shape.keyValueHeads()),
                        prepare(of(weights, layer, DecoderWeights.VALUE), shape.keyValueHeads())),
                cache,
                prepare(of(weights, layer, DecoderWeights.ATTENTION_OUTPUT), 1),
                of(weights, layer, DecoderWeights.FEED_FORWARD_NORM).toFloatArray(),
                List.of(
                        prepare(of(weights, layer, DecoderWeights.GATE), 1),
                        prepare(of(weights, layer, DecoderWeights.UP), 1)),
                prepare(of(weights, layer, DecoderWeights.DOWN), 1)));
    }

    private static Tensor of(DecoderWeights weights, int layer, String name) {
        return weights.tensor(DecoderWeights.layer(layer, name));
    }

    /** Takes a matrix [outputs, inputs], whose outputs are those of some heads. */
    private Projector.Projection prepare(Tensor matrix, int heads) {
        Tensor kernel = matrix.permute(1, 0).contiguous().reshape(matrix.size(1), heads, matrix.size(0) / heads);
        Projector.Projection prepared = projector.prepare(kernel, null);
        opened.add(prepared);
        return prepared;
    }

    /**
     * Adds tokens to each text and computes what follows.
     *
     * @param tokens [sequences][tokens], as many for each text
     * @param wanted how many of the last tokens' logits, from 1
     * @return [sequences, wanted, vocabulary]
     */
    public float[] logits(int[][] tokens, int wanted) {
        int length = tokens[0].length;
        float[] vectors = embed(tokens, length);
        for (Layer layer : layers) {
            add(vectors, attend(layer, normalized(vectors, layer.attentionNorm), length));
            add(vectors, feedForward(layer, normalized(vectors, layer.feedForwardNorm), length));
        }
        float[] last = new float[sequences * wanted * shape.width()];
        for (int sequence = 0; sequence < sequences; sequence++) {
            int from = ((sequence + 1) * length - wanted) * shape.width();
            System.arraycopy(vectors, from, last, sequence * wanted * shape.width(), wanted * shape.width());
        }
        Tensor input = Tensor.of(normalized(last, norm), sequences, wanted, shape.width());
        return floats(projector.toHeads(input, List.of(output)).get(0));
    }

    private float[] embed(int[][] tokens, int length) {
        int width = shape.width();
        float[] vectors = new float[sequences * length * width];
        for (int n = 0; n < sequences * length; n++) {
            int token = tokens[n / length][n % length];
            if (token < 0 || token >= shape.vocabulary()) {
                throw new IllegalArgumentException(
                        "token: " + token + ", must be from 0 to " + (shape.vocabulary() - 1));
            }
            embeddings.floats().position(token * width).get(vectors, n * width, width);
        }
        return vectors;
    }

    private float[] attend(Layer layer, float[] vectors, int length) {
        Tensor input = Tensor.of(vectors, sequences, length, shape.width());
        List<Tensor> heads = projector.toHeads(input, layer.toHeads);
        try {
            long start = System.nanoTime();
            try (AttentionResult result = layer.cache.attend(
                    heads.get(0), heads.get(1), heads.get(2), length == 1 ? Attention.DEFAULT : CAUSAL)) {
                attentionNanos += System.nanoTime() - start;
                return floats(projector.fromHeads(result.output(), null, layer.fromHeads));
            }
        } finally {
            heads.forEach(Tensor::close);
        }
    }

    private float[] feedForward(Layer layer, float[] vectors, int length) {
        Tensor input = Tensor.of(vectors, sequences, length, shape.width());
        List<Tensor> both = projector.toHeads(input, layer.gateAndUp);
        float[] gate = floats(both.get(0));
        float[] up = floats(both.get(1));
        for (int n = 0; n < gate.length; n++) {
            gate[n] = (float) (gate[n] / (1 + Math.exp(-gate[n]))) * up[n];
        }
        Tensor gated = Tensor.of(gate, sequences, 1, length, shape.hidden());
        return floats(projector.fromHeads(gated, null, layer.down));
    }

    /** Divides each vector by its root mean square, and multiplies by the weights. */
    private float[] normalized(float[] vectors, float... weights) {
        int width = shape.width();
        float[] result = new float[vectors.length];
        for (int at = 0; at < vectors.length; at += width) {
            double squares = 0;
            for (int n = 0; n < width; n++) {
                squares += vectors[at + n] * vectors[at + n];
            }
            float factor = (float) (1 / Math.sqrt(squares / width + shape.epsilon()));
            for (int n = 0; n < width; n++) {
                result[at + n] = vectors[at + n] * factor * weights[n];
            }
        }
        return result;
    }

    private static void add(float[] vectors, float... further) {
        for (int n = 0; n < vectors.length; n++) {
            vectors[n] += further[n];
        }
    }

    private static float[] floats(Tensor tensor) {
        try (tensor) {
            return tensor.toFloatArray();
        }
    }

    /** Takes the last tokens back, down to a length of each text. */
    public void truncate(int length) {
        for (Layer layer : layers) {
            for (int sequence = 0; sequence < sequences; sequence++) {
                layer.cache.truncate(sequence, length);
            }
        }
    }

    /** The time that all calls so far have spent in rotation, cache and attention, in seconds. */
    public double attentionSeconds() {
        return attentionNanos / 1e9;
    }

    /** The bytes of all caches. */
    public long cacheBytes() {
        return layers.stream()
                .map(layer -> layer.cache.shape())
                .mapToLong(cache -> Arrays.stream(new int[] {cache.headDim(), cache.valueDim()})
                        .mapToLong(width -> Tensor.byteSize(
                                cache.keyType(), cache.sequences(), cache.keyValueHeads(), cache.capacity(), width))
                        .sum())
                .sum();
    }

    @Override
    public void close() {
        for (AutoCloseable part : opened) {
            try {
                part.close();
            } catch (Exception e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }
    }
}
