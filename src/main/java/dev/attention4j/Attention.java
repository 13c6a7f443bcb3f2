package dev.attention4j;

import dev.attention4j.expression.Dropout;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.StringJoiner;

/**
 * The operation: scaled dot-product attention and its options. Immutable, made by {@link #builder()}.
 *
 * <p>For each query row: scores = scale · query · keyᵀ, then softcap, then the score expression, then + bias, then masks, then
 * softmax over the keys, then the sum of the values by those weights (Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1;
 * softcap as in Gemma 2, 2024). ALiBi adds its own bias, and a sink one more term to the softmax's denominator. A key
 * may be attended to only if causal, window, key lengths, packing, boolean mask, mask expression and query mask all allow
 * it; a bias of −∞
 * masks too. A row with no key to attend to gives output 0, weights 0 and log-sum-exp −∞ (its sink's logit if it has one);
 * the content of a masked key, value or bias, NaN included, never changes a result.
 *
 * <p>A key that is not masked always counts: if its value is NaN or infinite, so is the output, even where the weight
 * underflows (0 · ∞ is NaN, as in PyTorch). A key whose score is −∞ counts as masked.
 *
 * <p>Query · key must itself stay below the largest float, 3.4 · 10³⁸, because the scale is applied to the product. Values
 * may be as large as they like: the output is a mean of them, and finite where they are (a value within 0.001 % of the
 * largest float may be rounded to infinity). Errors do not grow with the number of keys.
 *
 * <p>Causal, window and ALiBi go by positions: query i has position i + offset, where the offset is 0 ({@link
 * Alignment#TOP_LEFT}), puts the last query at the last key ({@link Alignment#BOTTOM_RIGHT}), or is given. Where each
 * batch row has its own key length, the last key is the last of those; in packed sequences all of it is counted within
 * each sequence.
 */
public final class Attention {
    /** Plain attention: scale 1/√headDim, no mask. */
    public static final Attention DEFAULT = builder().build();

    /** Never changed, nor are its arrays. */
    final AttentionBuilder.Options options;

    /** The elements of the query mask, row-major; null for none. */
    private final boolean[] attendingQueries;

    Attention(AttentionBuilder.Options given) {
        options = given.copy();
        attendingQueries = options.queryMask.map(Tensor::toBooleanArray).orElse(null);
        options.queryMask = options.queryMask.map(mask -> Tensor.of(attendingQueries, mask.shape()));
    }

    /** {@return a builder of plain attention} */
    public static AttentionBuilder builder() {
        return new AttentionBuilder(new AttentionBuilder.Options());
    }

    /** {@return plain causal attention: {@code builder().causal(alignment).build()}} */
    public static Attention causal(Alignment alignment) {
        return builder().causal(alignment).build();
    }

    /** {@return the factor on query · key; empty for 1/√headDim} */
    public OptionalDouble scale() {
        return options.scale;
    }

    /** {@return the bound c of {@code c · tanh(score / c)}; empty for no softcap} */
    public OptionalDouble softcap() {
        return options.softcap;
    }

    /** {@return true if keys after a query's own position are masked} */
    public boolean isCausal() {
        return options.causal;
    }

    /** {@return the position of a query among the keys, unless {@link #offsets()} gives it; top-left by default} */
    public Alignment alignment() {
        return options.alignment;
    }

    /** {@return explicit positions, i + offset for query i: none, one for all batch rows, or one for each} */
    public int[] offsets() {
        return options.offsets.clone();
    }

    /** {@return the number of keys before its position that a query may attend to; −1 for all} */
    public int windowLeft() {
        return options.windowLeft;
    }

    /** {@return the number of keys after its position that a query may attend to unless causal; −1 for all} */
    public int windowRight() {
        return options.windowRight;
    }

    /** {@return true if causal or a window limits the keys, so that positions matter} */
    public boolean isBanded() {
        return options.causal || options.windowLeft >= 0 || options.windowRight >= 0;
    }

    /**
     * {@return true if anything but mask and bias limits the keys of a query: a band, key lengths, packing or a query
     * mask}
     */
    public boolean limitsKeys() {
        return isBanded() || options.keyLengths.length > 0 || isPacked() || options.queryMask.isPresent();
    }

    /** {@return the boolean mask, true = attend} */
    public Optional<Tensor> mask() {
        return options.mask;
    }

    /** {@return the block mask that gave {@link #mask()} or {@link #maskIf()}} */
    public Optional<BlockMask> blockMask() {
        return options.blockMask;
    }

    /** {@return the numbers that are added to the scores} */
    public Optional<Tensor> bias() {
        return options.bias;
    }

    /** {@return which queries attend at all, true = attends: a copy [batch, queryLength] on the host; empty for all} */
    public Optional<Tensor> queryMask() {
        return options.queryMask;
    }

    /**
     * {@return the number of keys of each batch row, the rest being padding: none for all keys, one for all batch rows, or
     * one for each}
     */
    public int[] keyLengths() {
        return options.keyLengths.clone();
    }

    /** {@return the pages in which each batch row's keys and values lie; empty if key and value are not a pool of pages} */
    public Optional<Tensor> pageTable() {
        return options.pageTable;
    }

    /**
     * {@return the start of each packed sequence of queries and the end of the last: sequences + 1 numbers from 0 up to
     * the query length; none if nothing is packed}
     */
    public int[] cumulativeQueryLengths() {
        return options.cumulativeQueryLengths.clone();
    }

    /**
     * {@return the start of each packed sequence of keys and the end of the last, as {@link #cumulativeQueryLengths}}
     */
    public int[] cumulativeKeyLengths() {
        return options.cumulativeKeyLengths.clone();
    }

    /** {@return true with cumulative lengths: sequences of unequal length lie one after another in one batch row} */
    public boolean isPacked() {
        return options.cumulativeQueryLengths.length > 0;
    }

    /**
     * {@return the decrease of a score for each key between its query's position and its key: none, one slope for each
     * query head, or [sequences, queryHeads] row-major}
     */
    public float[] alibiSlopes() {
        return options.alibiSlopes.clone();
    }

    /**
     * {@return a logit for each query head that joins the softmax's denominator and attends to nothing; none for no
     * sinks}
     */
    public float[] sinks() {
        return options.sinks.clone();
    }

    /** {@return the expression that changes scores} */
    public Optional<ScoreExpression> score() {
        return options.expressions.score().map(ScoreExpression::of);
    }

    /** {@return the expression that is true where a query attends to a key} */
    public Optional<ScoreExpression> maskIf() {
        return options.expressions.maskIf().map(ScoreExpression::of);
    }

    /** {@return the probability with which a weight is dropped; 0 for no dropout} */
    public double dropoutRate() {
        return options.expressions.dropout().map(Dropout::rate).orElse(0.0);
    }

    /** {@return what decides with the place of a weight whether it is dropped; 0 for no dropout} */
    public long dropoutSeed() {
        return options.expressions.dropout().map(Dropout::seed).orElse(0L);
    }

    /** {@return the score and mask expressions with their parameters, and the dropout; for those who write engines} */
    public Expressions expressions() {
        return options.expressions;
    }

    /** {@return true if {@link AttentionResult#weights()} is wanted, which takes memory of queryLength × keyLength} */
    public boolean wantsWeights() {
        return options.wantsWeights;
    }

    /** {@return true if {@link AttentionResult#logSumExp()} is wanted} */
    public boolean wantsLogSumExp() {
        return options.wantsLogSumExp;
    }

    /** {@return a builder that starts from this operation} */
    public AttentionBuilder toBuilder() {
        return new AttentionBuilder(options.copy());
    }

    /** Checks options.offsets, lengths, slopes and sinks against the shapes. */
    void check(int batch, int queryHeads, int queryLength, int keyLength) {
        boolean packed = isPacked();
        int sequences = packed ? options.cumulativeQueryLengths.length - 1 : batch;
        String each = sequences + (packed ? " packed sequences" : " batch rows");
        if (packed) {
            checkPacked(batch, queryLength, keyLength);
        }
        if (options.offsets.length > 1 && options.offsets.length != sequences) {
            throw new IllegalArgumentException(
                    "offsets: " + options.offsets.length + " given, must be 1 or one for each of the " + each);
        }
        for (int offset : options.offsets) {
            // Positions must be integers of 32 bits, with packed keys before them.
            if ((long) offset + queryLength > 2L * AttentionProblem.MAX_LENGTH) {
                throw new IllegalArgumentException("offsets: " + offset + ", must be at most "
                        + (2L * AttentionProblem.MAX_LENGTH - queryLength) + " for " + queryLength + " queries");
            }
        }
        options.blockMask.ifPresent(mask -> mask.check(queryLength, keyLength));
        options.queryMask.ifPresent(mask -> {
            if (mask.size(0) != batch || mask.size(1) != queryLength) {
                throw new IllegalArgumentException("queryMask: shape " + Arrays.toString(mask.shape())
                        + ", must be [batch, queryLength] = [" + batch + ", " + queryLength + "]");
            }
        });
        if (options.keyLengths.length > 1 && options.keyLengths.length != batch) {
            throw new IllegalArgumentException(
                    "keyLengths: " + options.keyLengths.length + " given, must be 1 or one for each of the " + each);
        }
        for (int length : options.keyLengths) {
            if (length > keyLength) {
                throw new IllegalArgumentException(
                        "keyLengths: " + length + ", must be at most the " + keyLength + " keys there are");
            }
        }
        options.pageTable.ifPresent(table -> PageTables.check(table, batch, keyLength));
        int slopes = options.alibiSlopes.length;
        if (slopes > 0 && slopes != queryHeads && slopes != (long) sequences * queryHeads) {
            throw new IllegalArgumentException("alibiSlopes: " + slopes + " given, must be one for each of the "
                    + queryHeads + " query heads, or for each of them in each of the " + each);
        }
        if (options.sinks.length > 0 && options.sinks.length != queryHeads) {
            throw new IllegalArgumentException("sinks: " + options.sinks.length + " given, must be one for each of the "
                    + queryHeads + " query heads");
        }
    }

    private void checkPacked(int batch, int queryLength, int keyLength) {
        if (batch != 1) {
            throw new IllegalArgumentException(
                    "cumulativeLengths: given with " + batch + " batch rows, must be 1 that holds all sequences");
        }
        if (options.keyLengths.length > 0) {
            throw new IllegalArgumentException(
                    "keyLengths: given with cumulativeLengths, must be left out: those say how long each sequence is");
        }
        checkEnd("queries", options.cumulativeQueryLengths, queryLength);
        checkEnd("keys", options.cumulativeKeyLengths, keyLength);
    }

    private static void checkEnd(String name, int[] lengths, int length) {
        int end = lengths[lengths.length - 1];
        if (end != length) {
            throw new IllegalArgumentException("cumulativeLengths: " + name + " end at " + end + ", must end at "
                    + length + ", the length of " + (name.equals("keys") ? "key and value" : "query"));
        }
    }

    /** {@return true if the query mask lets a query attend; the mask must fit the query length} */
    boolean attends(int batchRow, int query, int queryLength) {
        return attendingQueries == null || attendingQueries[batchRow * queryLength + query];
    }

    @Override
    public String toString() {
        StringJoiner text = new StringJoiner(", ", "Attention[", "]");
        options.scale.ifPresent(scale -> text.add("scale=" + scale));
        options.softcap.ifPresent(cap -> text.add("softcap=" + cap));
        addIf(text, options.causal, "causal");
        addIf(
                text,
                options.windowLeft >= 0 || options.windowRight >= 0,
                "window=" + options.windowLeft + "," + options.windowRight);
        boolean explicit = options.offsets.length > 0;
        addIf(
                text,
                isBanded() || options.alibiSlopes.length > 0 || expressions().reads(Variable.POSITION),
                explicit ? "offsets=" + Arrays.toString(options.offsets) : options.alignment.name());
        options.mask.ifPresent(mask -> text.add("mask=" + Arrays.toString(mask.shape())));
        options.blockMask.ifPresent(mask -> text.add("blockMask"));
        options.bias.ifPresent(bias -> text.add("bias=" + Arrays.toString(bias.shape())));
        options.queryMask.ifPresent(mask -> text.add("queryMask=" + Arrays.toString(mask.shape())));
        options.pageTable.ifPresent(table -> text.add("pageTable=" + Arrays.toString(table.shape())));
        addIf(text, options.keyLengths.length > 0, "keyLengths=" + Arrays.toString(options.keyLengths));
        addIf(
                text,
                isPacked(),
                "cumulativeLengths=" + Arrays.toString(options.cumulativeQueryLengths) + ","
                        + Arrays.toString(options.cumulativeKeyLengths));
        addIf(text, options.alibiSlopes.length > 0, "alibiSlopes=" + Arrays.toString(options.alibiSlopes));
        score().ifPresent(score -> text.add("score=" + score));
        maskIf().ifPresent(mask -> text.add("maskIf=" + mask));
        addIf(text, options.sinks.length > 0, "sinks=" + Arrays.toString(options.sinks));
        addIf(text, dropoutRate() > 0, "dropout=" + dropoutRate() + " by seed " + dropoutSeed());
        addIf(text, options.wantsWeights, "weights");
        addIf(text, options.wantsLogSumExp, "logSumExp");
        return text.toString();
    }

    private static void addIf(StringJoiner text, boolean given, String part) {
        if (given) {
            text.add(part);
        }
    }
}
