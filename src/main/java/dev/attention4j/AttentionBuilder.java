package dev.attention4j;

import dev.attention4j.expression.Expressions;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/**
 * Collects the options of an {@link Attention}. Each is checked as it is set, and against the tensors when an engine is
 * called. Each setter returns the builder.
 */
public final class AttentionBuilder {
    /** The largest softcap: with a larger one, a score of 10⁻⁸ divided by it would be subnormal, which devices flush to 0. */
    public static final double MAX_SOFTCAP = 1e30;

    private final Options options;

    AttentionBuilder(Options options) {
        this.options = options;
    }

    /** All options of an {@link Attention}, for its package. Tensors and arrays are replaced, never written to. */
    static final class Options implements Cloneable {
        // Scoring.
        OptionalDouble scale = OptionalDouble.empty();
        OptionalDouble softcap = OptionalDouble.empty();
        float[] alibiSlopes = {};
        Optional<Tensor> bias = Optional.empty();
        float[] sinks = {};
        Expressions expressions = Expressions.NONE;

        // Visibility.
        boolean causal;
        int windowLeft = -1;
        int windowRight = -1;
        Alignment alignment = Alignment.TOP_LEFT;
        int[] offsets = {};
        int[] keyLengths = {};
        int[] cumulativeQueryLengths = {};
        int[] cumulativeKeyLengths = {};
        Optional<Tensor> mask = Optional.empty();
        /** The block mask that gave the mask or the mask expression. */
        Optional<BlockMask> blockMask = Optional.empty();

        Optional<Tensor> queryMask = Optional.empty();

        // Where keys and values lie.
        Optional<Tensor> pageTable = Optional.empty();

        // Results in addition to the output.
        boolean wantsWeights;
        boolean wantsLogSumExp;

        Options copy() {
            try {
                return (Options) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /**
     * Sets the factor on query · key; 1/√headDim unless set.
     *
     * @param scale finite
     * @throws IllegalArgumentException if NaN or infinite
     */
    public AttentionBuilder scale(double scale) {
        if (!Double.isFinite(scale) || !Float.isFinite((float) scale)) {
            throw new IllegalArgumentException("scale: " + scale + ", must be a finite float");
        }
        options.scale = OptionalDouble.of(scale);
        return this;
    }

    /**
     * Bounds the scores to ±cap by {@code cap · tanh(score / cap)}, before bias and masks.
     *
     * @param cap {@link Float#MIN_NORMAL} to {@link #MAX_SOFTCAP}
     * @throws IllegalArgumentException beyond that, or NaN
     */
    public AttentionBuilder softcap(double cap) {
        if (!(cap >= Float.MIN_NORMAL && cap <= MAX_SOFTCAP)) {
            throw new IllegalArgumentException(
                    "softcap: " + cap + ", must be " + Float.MIN_NORMAL + " to " + MAX_SOFTCAP);
        }
        options.softcap = OptionalDouble.of(cap);
        return this;
    }

    /**
     * Masks the keys after each query's position.
     *
     * @param alignment the position of a query if the lengths differ
     */
    public AttentionBuilder causal(Alignment alignment) {
        options.causal = true;
        return align(alignment);
    }

    /**
     * Masks the keys after each query's given position: query i attends to key j if j ≤ i + offset.
     *
     * @param offsets as for {@link #alignOffsets}
     */
    public AttentionBuilder causalOffsets(int... offsets) {
        options.causal = true;
        return alignOffsets(offsets);
    }

    /**
     * Limits a query to the keys near its position p: p − left ≤ key ≤ p + right. A "window of W that includes
     * itself" is left = W − 1. Positions are top-left unless {@link #align} or {@link #alignOffsets} says otherwise.
     *
     * @param left the number of keys before, −1 for all
     * @param right the number of keys after, −1 for all; causal overrides it
     * @throws IllegalArgumentException if below −1
     */
    public AttentionBuilder window(int left, int right) {
        if (left < -1 || right < -1) {
            throw new IllegalArgumentException(
                    "window: left " + left + ", right " + right + ", each must be -1 (unbounded) or more");
        }
        options.windowLeft = left;
        options.windowRight = right;
        return this;
    }

    /**
     * Sets the position of a query among the keys, for causal, window and ALiBi.
     *
     * @param alignment top-left unless set
     */
    public AttentionBuilder align(Alignment alignment) {
        options.alignment = Objects.requireNonNull(alignment, "alignment");
        options.offsets = new int[0];
        return this;
    }

    /**
     * Sets the position of a query among the keys, for causal, window and ALiBi: i + offset for query i.
     *
     * @param offsets one for all batch rows (or packed sequences), or one for each; negative is legal
     * @throws IllegalArgumentException if there is none, or one is less than −{@link
     *     AttentionProblem#MAX_LENGTH} or more than twice it
     */
    public AttentionBuilder alignOffsets(int... offsets) {
        Objects.requireNonNull(offsets, "offsets");
        if (offsets.length == 0) {
            throw new IllegalArgumentException("offsets: none given, must be 1 or one per batch row");
        }
        for (int offset : offsets) {
            if (offset < -AttentionProblem.MAX_LENGTH || offset > 2 * (long) AttentionProblem.MAX_LENGTH) {
                throw new IllegalArgumentException("offsets: " + offset + ", must be -" + AttentionProblem.MAX_LENGTH
                        + " to " + 2 * (long) AttentionProblem.MAX_LENGTH);
            }
        }
        options.offsets = offsets.clone();
        return this;
    }

    /**
     * Sets which keys each query may attend to: true = attend. (PyTorch's {@code nn.MultiheadAttention} has it the
     * other way round; its {@code scaled_dot_product_attention} as here.)
     *
     * @param mask BOOL, broadcast right-aligned against [batch, heads, queryLength, keyLength]; null for none
     * @throws IllegalArgumentException if it is not BOOL or has more than 4 axes
     */
    public AttentionBuilder mask(Tensor mask) {
        if (mask != null && mask.dtype() != DType.BOOL) {
            throw new IllegalArgumentException(
                    "mask: type " + mask.dtype() + ", must be BOOL (true = attend); numbers to add are a bias");
        }
        options.mask = Optional.ofNullable(checkRank("mask", mask));
        options.blockMask = options.blockMask.filter(given -> given.mask().isEmpty());
        return this;
    }

    /**
     * Sets the mask or the mask expression that a block mask was made of, in place of one set before: as {@link #mask} or {@link
     * #maskIf(ScoreExpression, ScoreParameters)}, but an engine may keep which blocks of keys it hides. Only calls of its lengths
     * may have it.
     *
     * @param blockMask null for none
     */
    public AttentionBuilder blockMask(BlockMask blockMask) {
        options.blockMask.ifPresent(before -> {
            if (before.mask().isPresent()) {
                mask(null);
            } else {
                maskIf((ScoreExpression) null);
            }
        });
        if (blockMask != null) {
            blockMask.mask().ifPresent(this::mask);
            blockMask.expression().ifPresent(expression -> maskIf(expression, blockMask.parameters()));
        }
        options.blockMask = Optional.ofNullable(blockMask);
        return this;
    }

    /**
     * Sets numbers that are added to the scores after scale and softcap; −∞ masks. They are rounded to float32, so that a
     * float64 below its range masks too.
     *
     * @param bias a float type, broadcast right-aligned against [batch, heads, queryLength, keyLength]; null for none
     * @throws IllegalArgumentException if it is not a float type or has more than 4 axes
     */
    public AttentionBuilder bias(Tensor bias) {
        if (bias != null && !bias.dtype().isFloat()) {
            throw new IllegalArgumentException(
                    "bias: type " + bias.dtype() + ", must be a float type; a boolean tensor is a mask");
        }
        options.bias = Optional.ofNullable(checkRank("bias", bias));
        return this;
    }

    /**
     * Sets which queries attend at all, true = attends; each of the others gives output 0, like one with no key to attend
     * to. The result is that of a mask [batch, 1, queryLength, 1], but without its cost for each key: tiles in which all
     * queries are padding are skipped. {@link #build()} copies its elements.
     *
     * @param mask BOOL [batch, queryLength]; null for all
     * @throws IllegalArgumentException if it is not BOOL or has not 2 axes
     */
    public AttentionBuilder queryMask(Tensor mask) {
        if (mask != null && (mask.dtype() != DType.BOOL || mask.rank() != 2)) {
            throw new IllegalArgumentException("queryMask: type " + mask.dtype() + " of shape "
                    + Arrays.toString(mask.shape()) + ", must be BOOL (true = attends) of 2 axes [batch, queryLength]");
        }
        options.queryMask = Optional.ofNullable(mask);
        return this;
    }

    /**
     * Sets the number of keys of each batch row. The keys and values after them are padding, to which no query attends.
     * {@link Alignment#BOTTOM_RIGHT} then puts a batch row's last query at the last of these keys.
     *
     * @param lengths one for all batch rows, or one for each, 0 to keyLength; none for all keys
     * @throws IllegalArgumentException if one is negative
     */
    public AttentionBuilder keyLengths(int... lengths) {
        Objects.requireNonNull(lengths, "keyLengths");
        for (int length : lengths) {
            if (length < 0) {
                throw new IllegalArgumentException("keyLengths: " + length + ", must be 0 or more");
            }
        }
        options.keyLengths = lengths.clone();
        return this;
    }

    /**
     * Reads keys and values from pages of a pool, so that sequences may grow and share memory: key is [pages, keyValueHeads,
     * pageSize, headDim] and value [pages, keyValueHeads, pageSize, valueDim], pageSize a power of two, and key k of a batch
     * row is key k mod pageSize of page table[row, k ÷ pageSize] (flash-attention's {@code block_table}). The key length is the
     * table's width · pageSize, and {@link #keyLengths} says how many of them each batch row has; entries of the table after
     * these are ignored.
     *
     * @param table INT32 [batch, pages of a batch row], on the host or the engine's device; null for none. On the host, pages
     *     that are not in the pool are refused; on a device kernels read the pool's first or last page instead
     * @throws IllegalArgumentException if it is not INT32 or has not 2 axes
     */
    public AttentionBuilder pageTable(Tensor table) {
        if (table != null && (table.dtype() != DType.INT32 || table.rank() != 2)) {
            throw new IllegalArgumentException("pageTable: type " + table.dtype() + " of shape "
                    + Arrays.toString(table.shape()) + ", must be INT32 of 2 axes [batch, pages of a batch row]");
        }
        options.pageTable = Optional.ofNullable(table);
        return this;
    }

    /**
     * Packs sequences of unequal length one after another, without padding, into the single batch row of query, key and
     * value: queries {@code queries[s]} to {@code queries[s + 1] - 1} attend to keys {@code keys[s]} to {@code keys[s +
     * 1] - 1} and to no others (flash-attention's {@code cu_seqlens_q} and {@code cu_seqlens_k}). Positions, offsets
     * and ALiBi count within each sequence; mask, bias and results are laid out like the packed whole.
     *
     * @param queries sequences + 1 numbers, from 0 up to the query length
     * @param keys sequences + 1 numbers, from 0 up to the key length
     * @throws IllegalArgumentException unless both rise from 0 and are of one length, 2 at least
     */
    public AttentionBuilder cumulativeLengths(int[] queries, int[] keys) {
        Objects.requireNonNull(queries, "queries");
        Objects.requireNonNull(keys, "keys");
        checkCumulative("queries", queries);
        checkCumulative("keys", keys);
        if (queries.length != keys.length) {
            throw new IllegalArgumentException("cumulativeLengths: " + queries.length + " numbers for queries and "
                    + keys.length + " for keys, must be sequences + 1 for both");
        }
        options.cumulativeQueryLengths = queries.clone();
        options.cumulativeKeyLengths = keys.clone();
        return this;
    }

    /**
     * Adds {@code -slope * |position of the query - key|} to the scores after scale and softcap (Press et al., "Train
     * Short, Test Long: Attention with Linear Biases", 2022). Positions are as for causal and window.
     *
     * @param slopes one for each query head, or [sequences, queryHeads] row-major with one for each batch row (or
     *     packed sequence) and head; none for no ALiBi
     * @throws IllegalArgumentException if one is NaN or infinite
     */
    public AttentionBuilder alibiSlopes(float... slopes) {
        Objects.requireNonNull(slopes, "alibiSlopes");
        for (float slope : slopes) {
            if (!Float.isFinite(slope)) {
                throw new IllegalArgumentException("alibiSlopes: " + slope + ", must be finite");
            }
        }
        options.alibiSlopes = slopes.clone();
        return this;
    }

    /**
     * Returns the slopes of trained models with ALiBi, the geometric sequence of Press et al. ("Train Short, Test Long:
     * Attention with Linear Biases", 2022, section 3): for n heads, n a power of two, 2^(−8/n), 2^(−16/n) … 2^(−8). For
     * another n, as in its authors' code: the sequence for the next lower power of two, then every other slope, from the first,
     * of the sequence for twice that many heads.
     *
     * @return one slope for each query head
     * @throws IllegalArgumentException unless positive
     */
    public static float[] geometricSlopes(int queryHeads) {
        if (queryHeads < 1) {
            throw new IllegalArgumentException("queryHeads: " + queryHeads + ", must be 1 or more");
        }
        int power = Integer.highestOneBit(queryHeads);
        float[] slopes = new float[queryHeads];
        for (int head = 0; head < queryHeads; head++) {
            // Every other slope of twice as many heads lies halfway between two of these, in the exponent.
            double step = head < power ? head + 1 : head - power + 0.5;
            slopes[head] = (float) Math.pow(2, -8 * step / power);
        }
        return slopes;
    }

    /**
     * Adds e^logit of each query head's learned logit to its softmax's denominator: an attention sink, which takes
     * weight and has no value (Xiao et al., "Efficient Streaming Language Models with Attention Sinks", 2024; as a
     * logit: gpt-oss, 2025). It is part of the log-sum-exp; scale, softcap, bias and masks do not change it.
     *
     * @param logits one for each query head, −∞ for a head without; none for no sinks
     * @throws IllegalArgumentException if one is NaN or +∞
     */
    public AttentionBuilder sinks(float... logits) {
        Objects.requireNonNull(logits, "sinks");
        for (float logit : logits) {
            if (!(logit < Float.POSITIVE_INFINITY)) {
                throw new IllegalArgumentException("sinks: " + logit + ", must be finite or -infinity");
            }
        }
        options.sinks = logits.clone();
        return this;
    }

    /**
     * Changes each score by an expression, after scale and softcap, before ALiBi, bias and masks: {@code
     * score("score - slope[head] * abs(position - key)", parameters)} is ALiBi. A score that becomes −∞ is masked; one that
     * becomes NaN makes its row NaN; a masked one stays masked, whatever the expression gives.
     *
     * @param expression a number; null for none
     * @param parameters the value of each name that it reads, and of no other
     * @throws IllegalArgumentException if it is a boolean, or the parameters do not fit
     */
    public AttentionBuilder score(ScoreExpression expression, ScoreParameters parameters) {
        Objects.requireNonNull(parameters, "parameters");
        options.expressions = named(
                "score",
                () -> options.expressions.withScore(
                        expression == null ? null : expression.expression(), parameters.values()));
        return this;
    }

    /**
     * Changes each score by an expression without parameters, as {@link #score(ScoreExpression, ScoreParameters)}.
     *
     * @param expression a number; null for none
     * @throws IllegalArgumentException if it is a boolean or has parameters
     */
    public AttentionBuilder score(ScoreExpression expression) {
        return score(expression, ScoreParameters.NONE);
    }

    /**
     * Changes each score by an expression, as {@link #score(ScoreExpression, ScoreParameters)}.
     *
     * @param expression as {@link ScoreExpression#parse}
     * @param parameters the value of each name that it reads, and of no other
     * @throws IllegalArgumentException if it is no expression or a boolean, or the parameters do not fit
     */
    public AttentionBuilder score(String expression, ScoreParameters parameters) {
        return score(parsed("score", expression), parameters);
    }

    /**
     * Changes each score by an expression without parameters, as {@link #score(ScoreExpression, ScoreParameters)}.
     *
     * @param expression as {@link ScoreExpression#parse}
     * @throws IllegalArgumentException if it is no expression or a boolean, or has parameters
     */
    public AttentionBuilder score(String expression) {
        return score(expression, ScoreParameters.NONE);
    }

    /**
     * Lets a query attend to a key only where an expression is true: true = attend, as in {@link #mask}. It masks in addition
     * to all other masks: {@code maskIf("document[query] == document[key] && key <= position", parameters)} keeps packed
     * documents apart, and is causal.
     *
     * @param expression a boolean that does not read the score; null for none
     * @param parameters the value of each name that it reads, and of no other
     * @throws IllegalArgumentException if it is a number or reads the score, or the parameters do not fit
     */
    public AttentionBuilder maskIf(ScoreExpression expression, ScoreParameters parameters) {
        Objects.requireNonNull(parameters, "parameters");
        options.expressions = named(
                "maskIf",
                () -> options.expressions.withMask(
                        expression == null ? null : expression.expression(), parameters.values()));
        forgetExpression();
        return this;
    }

    /**
     * Lets a query attend only where an expression without parameters is true, as {@link #maskIf(ScoreExpression,
     * ScoreParameters)}.
     *
     * @param expression a boolean that does not read the score; null for none
     * @throws IllegalArgumentException if it is a number, reads the score or has parameters
     */
    public AttentionBuilder maskIf(ScoreExpression expression) {
        return maskIf(expression, ScoreParameters.NONE);
    }

    /**
     * Lets a query attend only where an expression is true, as {@link #maskIf(ScoreExpression, ScoreParameters)}.
     *
     * @param expression as {@link ScoreExpression#parse}
     * @param parameters the value of each name that it reads, and of no other
     * @throws IllegalArgumentException if it is no expression, a number or reads the score, or the parameters do not fit
     */
    public AttentionBuilder maskIf(String expression, ScoreParameters parameters) {
        return maskIf(parsed("maskIf", expression), parameters);
    }

    /**
     * Lets a query attend only where an expression without parameters is true, as {@link #maskIf(ScoreExpression,
     * ScoreParameters)}.
     *
     * @param expression as {@link ScoreExpression#parse}
     * @throws IllegalArgumentException if it is no expression, a number, reads the score or has parameters
     */
    public AttentionBuilder maskIf(String expression) {
        return maskIf(expression, ScoreParameters.NONE);
    }

    /**
     * Drops weights at random, in training: each is 0 with this probability, and else multiplied by 1 / (1 − rate), so that
     * outputs stay the same on average (Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014;
     * {@code dropout_p} of PyTorch's {@code scaled_dot_product_attention}). The log-sum-exp and the weights of the result are
     * those of the softmax, before dropout, as Keras's layer returns them; gradients are those with dropout.
     *
     * <p>The seed decides with batch row, query head, query and key, as rows of the tensors, by a counter-based generator (Philox
     * 4×32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): the same weights are dropped on every engine, by
     * every plan, forward and backward. So each step and layer of a training needs a seed of its own.
     *
     * <p>What is dropped is left out: NaN in its value does not show. NaN in its score makes the row NaN, as in a softmax.
     *
     * @param rate 0 or more, and less than 1; 0 for none
     * @param seed any number
     * @throws IllegalArgumentException if the rate is not
     */
    public AttentionBuilder dropout(double rate, long seed) {
        options.expressions = named("dropout", () -> options.expressions.withDropout(rate, seed));
        return this;
    }

    /**
     * Sets the score and mask expressions, and the dropout, as engines have them; for those who write engines.
     *
     * @param expressions of {@link Attention#expressions()}
     */
    public AttentionBuilder expressions(Expressions expressions) {
        options.expressions = Objects.requireNonNull(expressions, "expressions");
        forgetExpression();
        return this;
    }

    private void forgetExpression() {
        options.blockMask = options.blockMask.filter(given -> given.mask().isPresent());
    }

    private static ScoreExpression parsed(String name, String text) {
        return text == null ? null : named(name, () -> ScoreExpression.parse(text));
    }

    /** Lets errors begin with the argument's name. */
    private static <T> T named(String name, Supplier<T> body) {
        try {
            return body.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(name + ": " + e.getMessage(), e);
        }
    }

    /**
     * Asks for the softmax's weights [batch, heads, queryLength, keyLength], float32. They sum to 1 less the sink's
     * part.
     *
     * @param wanted false by default
     */
    public AttentionBuilder weights(boolean wanted) {
        options.wantsWeights = wanted;
        return this;
    }

    /**
     * Asks for the scores' natural log-sum-exp [batch, heads, queryLength], float32, after scale, softcap, bias and
     * masks.
     *
     * @param wanted false by default
     */
    public AttentionBuilder logSumExp(boolean wanted) {
        options.wantsLogSumExp = wanted;
        return this;
    }

    /**
     * Returns the operation as set so far.
     *
     * @return immutable; its mask, bias and page table are the tensors given, not copies
     * @throws IllegalStateException if the query mask is closed
     */
    public Attention build() {
        return new Attention(options);
    }

    private static void checkCumulative(String name, int... lengths) {
        boolean rises = lengths.length >= 2 && lengths[0] == 0;
        for (int n = 1; rises && n < lengths.length; n++) {
            rises = lengths[n] >= lengths[n - 1];
        }
        if (!rises) {
            throw new IllegalArgumentException("cumulativeLengths: " + name + " " + Arrays.toString(lengths)
                    + ", must be sequences + 1 numbers that start at 0 and never fall");
        }
    }

    private static Tensor checkRank(String name, Tensor tensor) {
        if (tensor != null && tensor.rank() > 4) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                    + ", must have at most 4 axes [batch, heads, queryLength, keyLength]");
        }
        return tensor;
    }
}
