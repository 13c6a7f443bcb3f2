package dev.attention4j.conformance.problems;

import dev.attention4j.Alignment;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;

/** An option of a case of a grid, in the way of the peer that tests it. */
public enum GridOption {
    /** PyTorch's {@code is_causal}. */
    TOP_LEFT((grid, attention, random) -> attention.causal(Alignment.TOP_LEFT)),
    /** flash-attn's {@code causal}. */
    CAUSAL((grid, attention, random) -> attention.causal(Alignment.BOTTOM_RIGHT)),
    /** flash-attn's {@code window_size}, drawn as its test draws it. */
    LOCAL((grid, attention, random) -> {
        attention.window(
                random.nextInt(grid.shape().keyLength()),
                random.nextInt(grid.shape().keyLength()));
        attention.align(Alignment.BOTTOM_RIGHT);
    }),
    /** flash-attn's {@code alibi_slopes}: one for each batch row and head, up to 0.3. */
    ALIBI((grid, attention, random) -> {
        float[] slopes = new float[grid.shape().batch() * grid.shape().queryHeads()];
        for (int n = 0; n < slopes.length; n++) {
            slopes[n] = 0.3f * random.nextFloat();
        }
        attention.alibiSlopes(slopes).align(Alignment.BOTTOM_RIGHT);
    }),
    /** ggml's {@code max_bias} of 8: slopes of 2^(-8 h / heads). */
    MAX_BIAS((grid, attention, random) -> {
        float[] slopes = new float[grid.shape().queryHeads()];
        for (int head = 0; head < slopes.length; head++) {
            slopes[head] = (float) Math.pow(2, -8.0 * (head + 1) / grid.shape().queryHeads());
        }
        attention.alibiSlopes(slopes);
    }),
    /** flash-attn's softcap of 50, with scores that are large enough to be bent by it. */
    SOFTCAP((grid, attention, random) ->
            attention.softcap(50).scale(20 / Math.sqrt(grid.shape().headDim()))),
    /**
     * ggml's {@code logit_softcap} of 10, with scores that are bent by it. With larger ones the few queries of that grid
     * would see a key or two each, and how far plain float code is from the oracle be a matter of luck.
     */
    LOGIT_SOFTCAP((grid, attention, random) ->
            attention.softcap(10).scale(3 / Math.sqrt(grid.shape().headDim()))),
    /** PyTorch's {@code scale}. */
    SCALE((grid, attention, random) -> attention.scale(1.0 / grid.shape().headDim())),
    /** ggml's mask: numbers of -1 to 1, and blocks of −∞. */
    MASK((grid, attention, random) -> attention.bias(blockMask(grid, random))),
    /** A logit for each head, as ggml's. */
    SINKS((grid, attention, random) -> {
        float[] sinks = new float[grid.shape().queryHeads()];
        for (int head = 0; head < sinks.length; head++) {
            sinks[head] = (float) (10 * random.nextDouble() - 5);
        }
        attention.sinks(sinks);
    }),
    /** Key lengths, and after them NaN, as xFormers pads. */
    PADDING((grid, attention, random) -> {
        int[] lengths = new int[grid.shape().batch()];
        Arrays.setAll(lengths, row -> random.nextInt(grid.shape().keyLength() + 1));
        attention.keyLengths(lengths);
    }),
    /** Query, key and value lie as [batch, length, heads, width]; see {@link GridCase#inputs()}. */
    PERMUTED((grid, attention, random) -> {
        // An order in memory, not a part of the operation.
    });

    private static final int BLOCK_QUERIES = 16;
    private static final int BLOCK_KEYS = 64;

    /** Adds an option to an operation. */
    private interface Setter {
        void set(GridCase grid, AttentionBuilder attention, Random random);
    }

    @SuppressWarnings("ImmutableEnumChecker") // Lambdas without state.
    private final Setter setter;

    GridOption(Setter setter) {
        this.setter = setter;
    }

    /** Adds it to an operation. */
    void set(GridCase grid, AttentionBuilder attention, Random random) {
        setter.set(grid, attention, random);
    }

    private static Tensor blockMask(GridCase grid, Random random) {
        int keys = grid.shape().keyLength();
        int rows = grid.shape().batch() * grid.shape().queryLength();
        float[] mask = new float[rows * keys];
        for (int n = 0; n < mask.length; n++) {
            mask[n] = 2 * random.nextFloat() - 1;
        }
        for (int row = 0; row < rows; row += BLOCK_QUERIES) {
            for (int key = 0; key < keys; key += BLOCK_KEYS) {
                if (random.nextInt(3) == 0) {
                    for (int r = row; r < Math.min(row + BLOCK_QUERIES, rows); r++) {
                        int end = Math.min(key + BLOCK_KEYS, keys);
                        Arrays.fill(mask, r * keys + key, r * keys + end, Float.NEGATIVE_INFINITY);
                    }
                }
            }
        }
        return Tensor.of(mask, grid.shape().batch(), 1, grid.shape().queryLength(), keys);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
