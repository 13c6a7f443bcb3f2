package dev.attention4j;

import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.StringJoiner;

/**
 * What is to be computed: scaled dot-product attention and its options. Immutable, made by {@link #builder()}.
 *
 * <p>For each query row: scores = scale · query · keyᵀ, then softcap, then + bias, then masks, then softmax over the
 * keys, then the sum of the values by those weights (Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1;
 * softcap as in Gemma 2, 2024). ALiBi adds its own bias, and a sink one more term to the softmax's denominator. What
 * may be attended to is the conjunction of causal, window, key lengths, packing, boolean mask and query mask; a bias of
 * −∞ masks too. A row with no key to attend to gives output 0, weights 0 and log-sum-exp −∞ (its sink's logit if it has one);
 * what a masked key, value or bias holds, NaN included, never shows in a result.
 *
 * <p>A key that is not masked always counts: if its value is NaN or infinite, so is the output, even where the weight
 * underflows (0 · ∞ is NaN, as in PyTorch). A key whose score is −∞ counts as masked.
 *
 * <p>Query · key must itself stay below the largest float, 3.4 · 10³⁸, because the scale is applied to the product. Values
 * may be as large as they like: the output is a mean of them, and finite where they are (a value within 0.001 % of the
 * largest float may be rounded to infinity). Errors do not grow with the number of keys.
 *
 * <p>Causal, window and ALiBi go by positions: query i stands at key i + offset, where the offset is 0 ({@link
 * Alignment#TOP_LEFT}), puts the last query at the last key ({@link Alignment#BOTTOM_RIGHT}), or is given. Where each
 * batch row has its own key length, the last key is the last of those; in packed sequences all of it is counted within
 * each sequence.
 */
public final class Attention {
    /** Plain attention: scale 1/√headDim, no mask. */
    public static final Attention DEFAULT = builder().build();

    private final Double scale;
    private final Double softcap;
    private final boolean causal;
    private final Alignment alignment;
    private final int[] offsets;
    private final int windowLeft;
    private final int windowRight;
    private final Tensor mask;
    private final Tensor bias;
    private final Tensor queryMask;
    /** The elements of the query mask, row-major; empty for none. */
    private final boolean[] attendingQueries;

    private final int[] keyLengths;
    private final int[] cumulativeQueryLengths;
    private final int[] cumulativeKeyLengths;
    private final float[] alibiSlopes;
    private final float[] sinks;
    private final boolean wantsWeights;
    private final boolean wantsLogSumExp;

    Attention(AttentionBuilder builder) {
        scale = builder.scale;
        softcap = builder.softcap;
        causal = builder.causal;
        alignment = builder.alignment;
        offsets = builder.offsets;
        windowLeft = builder.windowLeft;
        windowRight = builder.windowRight;
        mask = builder.mask;
        bias = builder.bias;
        attendingQueries = builder.queryMask == null ? new boolean[0] : builder.queryMask.toBooleanArray();
        queryMask = builder.queryMask == null ? null : Tensor.of(attendingQueries, builder.queryMask.shape());
        keyLengths = builder.keyLengths;
        cumulativeQueryLengths = builder.cumulativeQueryLengths;
        cumulativeKeyLengths = builder.cumulativeKeyLengths;
        alibiSlopes = builder.alibiSlopes;
        sinks = builder.sinks;
        wantsWeights = builder.wantsWeights;
        wantsLogSumExp = builder.wantsLogSumExp;
    }

    /**
     * Starts from plain attention.
     *
     * @return a new builder
     */
    public static AttentionBuilder builder() {
        return new AttentionBuilder();
    }

    /**
     * Plain causal attention.
     *
     * @param alignment where the diagonal lies if the lengths differ
     * @return {@code builder().causal(alignment).build()}
     */
    public static Attention causal(Alignment alignment) {
        return builder().causal(alignment).build();
    }

    /**
     * What query · key is multiplied with.
     *
     * @return empty for 1/√headDim
     */
    public OptionalDouble scale() {
        return scale == null ? OptionalDouble.empty() : OptionalDouble.of(scale);
    }

    /**
     * The bound of {@code cap · tanh(score / cap)}.
     *
     * @return empty for no softcap
     */
    public OptionalDouble softcap() {
        return softcap == null ? OptionalDouble.empty() : OptionalDouble.of(softcap);
    }

    /**
     * Whether keys beyond a query's own position are masked.
     *
     * @return true if causal
     */
    public boolean isCausal() {
        return causal;
    }

    /**
     * Which key a query stands at, unless {@link #offsets()} says it.
     *
     * @return top-left by default
     */
    public Alignment alignment() {
        return alignment;
    }

    /**
     * Explicit positions: query i stands at key i + offset.
     *
     * @return empty, one offset for all batch rows, or one for each
     */
    public int[] offsets() {
        return offsets.clone();
    }

    /**
     * How many keys before its position a query sees.
     *
     * @return −1 for all
     */
    public int windowLeft() {
        return windowLeft;
    }

    /**
     * How many keys beyond its position a query sees, were it not causal.
     *
     * @return −1 for all
     */
    public int windowRight() {
        return windowRight;
    }

    /**
     * Whether causal or window limit what is seen, so that positions matter.
     *
     * @return true if either is set
     */
    public boolean isBanded() {
        return causal || windowLeft >= 0 || windowRight >= 0;
    }

    /**
     * Whether anything but mask and bias keeps a query from some keys: a band, key lengths, packing or a query mask.
     *
     * @return false if every query may see every key
     */
    public boolean limitsKeys() {
        return isBanded() || keyLengths.length > 0 || isPacked() || queryMask != null;
    }

    /**
     * The boolean mask, true = attend.
     *
     * @return empty for none
     */
    public Optional<Tensor> mask() {
        return Optional.ofNullable(mask);
    }

    /**
     * What is added to the scores.
     *
     * @return empty for none
     */
    public Optional<Tensor> bias() {
        return Optional.ofNullable(bias);
    }

    /**
     * Which queries attend at all, true = attends.
     *
     * @return a copy [batch, queryLength] on the host; empty for all
     */
    public Optional<Tensor> queryMask() {
        return Optional.ofNullable(queryMask);
    }

    /**
     * How many keys of each batch row there are; those behind them are padding.
     *
     * @return empty for all, one number for all batch rows, or one for each
     */
    public int[] keyLengths() {
        return keyLengths.clone();
    }

    /**
     * Where each packed sequence of queries begins, and behind the last where it ends.
     *
     * @return sequences + 1 numbers from 0 up to the query length; empty where nothing is packed
     */
    public int[] cumulativeQueryLengths() {
        return cumulativeQueryLengths.clone();
    }

    /**
     * Where each packed sequence of keys begins, and behind the last where it ends.
     *
     * @return sequences + 1 numbers from 0 up to the key length; empty where nothing is packed
     */
    public int[] cumulativeKeyLengths() {
        return cumulativeKeyLengths.clone();
    }

    /**
     * Whether sequences of unequal length lie one after another in one batch row.
     *
     * @return true with cumulative lengths
     */
    public boolean isPacked() {
        return cumulativeQueryLengths.length > 0;
    }

    /**
     * By how much a score falls for each key between its query's position and its key.
     *
     * @return empty for no ALiBi, one slope for each query head, or [sequences, queryHeads] row-major
     */
    public float[] alibiSlopes() {
        return alibiSlopes.clone();
    }

    /**
     * A logit for each query head that joins the softmax's denominator and attends to nothing.
     *
     * @return empty for none
     */
    public float[] sinks() {
        return sinks.clone();
    }

    /**
     * Whether {@link AttentionResult#weights()} is wanted; costs memory of queryLength × keyLength.
     *
     * @return false by default
     */
    public boolean wantsWeights() {
        return wantsWeights;
    }

    /**
     * Whether {@link AttentionResult#logSumExp()} is wanted.
     *
     * @return false by default
     */
    public boolean wantsLogSumExp() {
        return wantsLogSumExp;
    }

    /** Checks offsets, lengths, slopes and sinks against the shapes. */
    void check(int batch, int queryHeads, int queryLength, int keyLength) {
        boolean packed = isPacked();
        int sequences = packed ? cumulativeQueryLengths.length - 1 : batch;
        String each = sequences + (packed ? " packed sequences" : " batch rows");
        if (packed) {
            checkPacked(batch, queryLength, keyLength);
        }
        if (offsets.length > 1 && offsets.length != sequences) {
            throw new IllegalArgumentException(
                    "offsets: " + offsets.length + " given, must be 1 or one for each of the " + each);
        }
        for (int offset : offsets) {
            // Positions must be integers of 32 bits, with packed keys before them.
            if ((long) offset + queryLength > 2L * AttentionProblem.MAX_LENGTH) {
                throw new IllegalArgumentException("offsets: " + offset + ", must be at most "
                        + (2L * AttentionProblem.MAX_LENGTH - queryLength) + " for " + queryLength + " queries");
            }
        }
        queryMask().ifPresent(mask -> {
            if (mask.size(0) != batch || mask.size(1) != queryLength) {
                throw new IllegalArgumentException("queryMask: shape " + Shapes.text(mask.shape())
                        + ", must be [batch, queryLength] = [" + batch + ", " + queryLength + "]");
            }
        });
        if (keyLengths.length > 1 && keyLengths.length != batch) {
            throw new IllegalArgumentException(
                    "keyLengths: " + keyLengths.length + " given, must be 1 or one for each of the " + each);
        }
        for (int length : keyLengths) {
            if (length > keyLength) {
                throw new IllegalArgumentException(
                        "keyLengths: " + length + ", must be at most the " + keyLength + " keys there are");
            }
        }
        int slopes = alibiSlopes.length;
        if (slopes > 0 && slopes != queryHeads && slopes != (long) sequences * queryHeads) {
            throw new IllegalArgumentException("alibiSlopes: " + slopes + " given, must be one for each of the "
                    + queryHeads + " query heads, or for each of them in each of the " + each);
        }
        if (sinks.length > 0 && sinks.length != queryHeads) {
            throw new IllegalArgumentException(
                    "sinks: " + sinks.length + " given, must be one for each of the " + queryHeads + " query heads");
        }
    }

    private void checkPacked(int batch, int queryLength, int keyLength) {
        if (batch != 1) {
            throw new IllegalArgumentException(
                    "cumulativeLengths: given with " + batch + " batch rows, must be 1 that holds all sequences");
        }
        if (keyLengths.length > 0) {
            throw new IllegalArgumentException(
                    "keyLengths: given with cumulativeLengths, must be left out: those say how long each sequence is");
        }
        checkEnd("queries", cumulativeQueryLengths, queryLength);
        checkEnd("keys", cumulativeKeyLengths, keyLength);
    }

    private static void checkEnd(String name, int[] lengths, int length) {
        int end = lengths[lengths.length - 1];
        if (end != length) {
            throw new IllegalArgumentException("cumulativeLengths: " + name + " end at " + end + ", must end at "
                    + length + ", the length of " + (name.equals("keys") ? "key and value" : "query"));
        }
    }

    /** The explicit offset of a sequence, uncopied. */
    int offsetOf(int sequence) {
        return offsets[offsets.length == 1 ? 0 : sequence];
    }

    boolean hasOffsets() {
        return offsets.length > 0;
    }

    /** The key length of a batch row, uncopied; all keys unless it is given. */
    int keyLengthOf(int batchRow, int keyLength) {
        return keyLengths.length == 0 ? keyLength : keyLengths[keyLengths.length == 1 ? 0 : batchRow];
    }

    /** Returns whether the query mask lets a query attend; the mask must fit the query length. */
    boolean attends(int batchRow, int query, int queryLength) {
        return queryMask == null || attendingQueries[batchRow * queryLength + query];
    }

    /** The ALiBi slopes, uncopied. */
    float[] slopes() {
        return alibiSlopes;
    }

    /** The sinks, uncopied. */
    float[] sinkLogits() {
        return sinks;
    }

    /** The cumulative lengths of queries, uncopied. */
    int[] packedQueries() {
        return cumulativeQueryLengths;
    }

    /** The cumulative lengths of keys, uncopied. */
    int[] packedKeys() {
        return cumulativeKeyLengths;
    }

    /**
     * A builder that starts from this operation.
     *
     * @return a new builder
     */
    public AttentionBuilder toBuilder() {
        return new AttentionBuilder(this);
    }

    @Override
    public String toString() {
        StringJoiner text = new StringJoiner(", ", "Attention[", "]");
        scale().ifPresent(s -> text.add("scale=" + s));
        softcap().ifPresent(s -> text.add("softcap=" + s));
        if (causal) {
            text.add("causal");
        }
        if (windowLeft >= 0 || windowRight >= 0) {
            text.add("window=" + windowLeft + "," + windowRight);
        }
        if (isBanded() || alibiSlopes.length > 0) {
            text.add(offsets.length > 0 ? "offsets=" + Arrays.toString(offsets) : alignment.name());
        }
        mask().ifPresent(m -> text.add("mask=" + Shapes.text(m.shape())));
        bias().ifPresent(b -> text.add("bias=" + Shapes.text(b.shape())));
        queryMask().ifPresent(m -> text.add("queryMask=" + Shapes.text(m.shape())));
        if (keyLengths.length > 0) {
            text.add("keyLengths=" + Arrays.toString(keyLengths));
        }
        if (isPacked()) {
            text.add("cumulativeLengths=" + Arrays.toString(cumulativeQueryLengths) + ","
                    + Arrays.toString(cumulativeKeyLengths));
        }
        if (alibiSlopes.length > 0) {
            text.add("alibiSlopes=" + Arrays.toString(alibiSlopes));
        }
        if (sinks.length > 0) {
            text.add("sinks=" + Arrays.toString(sinks));
        }
        if (wantsWeights) {
            text.add("weights");
        }
        if (wantsLogSumExp) {
            text.add("logSumExp");
        }
        return text.toString();
    }
}
