package dev.attention4j.bench.training;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The sizes of a {@link Transformer}, and the names and shapes of its weights.
 *
 * @param vocabulary tokens that it knows
 * @param context the most tokens of a text
 * @param width numbers of a token between two blocks; a multiple of heads
 * @param heads of attention
 * @param layers blocks
 * @param hidden numbers of a token within the feed-forward
 * @param outputs scores that it gives
 * @param causal true for a decoder, which gives scores at each token and sees those before it; false for an encoder, which
 *     sees all tokens and gives scores of the whole text
 */
public record TransformerShape(
        int vocabulary, int context, int width, int heads, int layers, int hidden, int outputs, boolean causal) {
    static final String TOKENS = "tokens";
    static final String POSITIONS = "positions";
    static final String NORM = "norm";
    static final String OUTPUT = "output";

    /** Checks the sizes. */
    public TransformerShape {
        atLeast("vocabulary", vocabulary, 2);
        atLeast("context", context, 1);
        atLeast("width", width, 1);
        atLeast("heads", heads, 1);
        atLeast("layers", layers, 1);
        atLeast("hidden", hidden, 1);
        atLeast("outputs", outputs, 2);
        if (width % heads != 0) {
            throw new IllegalArgumentException("width: " + width + ", must be a multiple of heads, " + heads);
        }
    }

    static void atLeast(String name, long number, long least) {
        if (number < least) {
            throw new IllegalArgumentException(name + ": " + number + ", must be " + least + " or more");
        }
    }

    /** The name of a block's weight. */
    public static String block(int layer, String name) {
        return "block." + layer + "." + name;
    }

    /**
     * Returns the shape of each weight by its name. The kernels of {@code up}, {@code down} and {@code output} lie under their
     * bias, [1 + inputs, outputs]; norms are scale and shift, [2, width]; those of attention are Keras's.
     */
    public Map<String, long[]> weights() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(TOKENS, new long[] {vocabulary, width});
        shapes.put(POSITIONS, new long[] {context, width});
        for (int layer = 0; layer < layers; layer++) {
            shapes.put(block(layer, "attention_norm"), new long[] {2, width});
            for (String name : new String[] {"query", "key", "value"}) {
                shapes.put(block(layer, "attention." + name + ".kernel"), new long[] {width, heads, width / heads});
                shapes.put(block(layer, "attention." + name + ".bias"), new long[] {heads, width / heads});
            }
            shapes.put(block(layer, "attention.attention_output.kernel"), new long[] {heads, width / heads, width});
            shapes.put(block(layer, "attention.attention_output.bias"), new long[] {width});
            shapes.put(block(layer, "feed_forward_norm"), new long[] {2, width});
            shapes.put(block(layer, "up"), new long[] {1 + width, hidden});
            shapes.put(block(layer, "down"), new long[] {1 + hidden, width});
        }
        shapes.put(NORM, new long[] {2, width});
        shapes.put(OUTPUT, new long[] {1 + width, outputs});
        return shapes;
    }

    /** Returns how many numbers the weights are. */
    public long count() {
        return weights().values().stream()
                .mapToLong(shape -> {
                    long product = 1;
                    for (long size : shape) {
                        product *= size;
                    }
                    return product;
                })
                .sum();
    }

    /** Draws first weights: biases and shifts 0, scales 1, embeddings and the last kernel small. */
    public Map<String, Tensor> random(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, Tensor> drawn = new LinkedHashMap<>();
        weights().forEach((name, sizes) -> {
            Tensor tensor = Tensor.zeros(DType.FLOAT32, sizes);
            FloatBuffer numbers = tensor.floats();
            if (name.endsWith(NORM)) {
                for (int n = 0; n < width; n++) {
                    numbers.put(n, 1);
                }
            } else if (!name.endsWith(".bias")) {
                boolean underBias = name.endsWith("up") || name.endsWith("down") || name.equals(OUTPUT);
                long inputs = name.endsWith("attention_output.kernel") ? width : sizes[0] - (underBias ? 1 : 0);
                boolean small = name.equals(TOKENS) || name.equals(POSITIONS) || name.equals(OUTPUT);
                double deviation = small ? 0.05 : 1 / Math.sqrt((double) inputs);
                for (int n = underBias ? (int) sizes[1] : 0; n < numbers.limit(); n++) {
                    numbers.put(n, (float) (deviation * random.nextGaussian()));
                }
            }
            drawn.put(name, tensor);
        });
        return drawn;
    }
}
