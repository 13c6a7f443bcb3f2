package dev.attention4j;

import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.StringJoiner;

/**
 * What is to be computed: scaled dot-product attention and its options. Immutable, made by {@link #builder()}.
 *
 * <p>For each query row: scores = scale · query · keyᵀ, then softcap, then + bias, then masks, then softmax over the
 * keys, then the sum of the values by those weights (Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1;
 * softcap as in Gemma 2, 2024). What may be attended to is the conjunction of causal, window and boolean mask; a bias
 * of −∞ masks too. A row with no key to attend to gives output 0, weights 0 and log-sum-exp −∞; what a masked key,
 * value or bias holds, NaN included, never shows in a result.
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
    private final boolean wantsWeights;
    private final boolean wantsLogSumExp;

    private Attention(Builder builder) {
        scale = builder.scale;
        softcap = builder.softcap;
        causal = builder.causal;
        alignment = builder.alignment;
        offsets = builder.offsets;
        windowLeft = builder.windowLeft;
        windowRight = builder.windowRight;
        mask = builder.mask;
        bias = builder.bias;
        wantsWeights = builder.wantsWeights;
        wantsLogSumExp = builder.wantsLogSumExp;
    }

    /**
     * Starts from plain attention.
     *
     * @return a new builder
     */
    public static Builder builder() {
        return new Builder();
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

    /**
     * A builder that starts from this operation.
     *
     * @return a new builder
     */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.scale = scale;
        builder.softcap = softcap;
        builder.causal = causal;
        builder.alignment = alignment;
        builder.offsets = offsets;
        builder.windowLeft = windowLeft;
        builder.windowRight = windowRight;
        builder.mask = mask;
        builder.bias = bias;
        builder.wantsWeights = wantsWeights;
        builder.wantsLogSumExp = wantsLogSumExp;
        return builder;
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
        if (isBanded()) {
            text.add(offsets.length > 0 ? "offsets=" + Arrays.toString(offsets) : alignment.name());
        }
        mask().ifPresent(m -> text.add("mask=" + Shapes.text(m.shape())));
        bias().ifPresent(b -> text.add("bias=" + Shapes.text(b.shape())));
        if (wantsWeights) {
            text.add("weights");
        }
        if (wantsLogSumExp) {
            text.add("logSumExp");
        }
        return text.toString();
    }

    /** Collects options; each is checked as it is set, and against the tensors when an engine is called. */
    public static final class Builder {
        private Double scale;
        private Double softcap;
        private boolean causal;
        private Alignment alignment = Alignment.TOP_LEFT;
        private int[] offsets = {};
        private int windowLeft = -1;
        private int windowRight = -1;
        private Tensor mask;
        private Tensor bias;
        private boolean wantsWeights;
        private boolean wantsLogSumExp;

        private Builder() {}

        /**
         * Sets what query · key is multiplied with; 1/√headDim unless set.
         *
         * @param scale finite
         * @return this
         * @throws IllegalArgumentException if NaN or infinite
         */
        public Builder scale(double scale) {
            if (!Double.isFinite(scale) || !Float.isFinite((float) scale)) {
                throw new IllegalArgumentException("scale: " + scale + ", must be a finite float");
            }
            this.scale = scale;
            return this;
        }

        /**
         * Bounds the scores to ±cap by {@code cap · tanh(score / cap)}, before bias and masks.
         *
         * @param cap above 0
         * @return this
         * @throws IllegalArgumentException unless positive and finite
         */
        public Builder softcap(double cap) {
            if (!(cap >= Float.MIN_NORMAL && cap <= Float.MAX_VALUE)) {
                throw new IllegalArgumentException("softcap: " + cap + ", must be a finite float above 0");
            }
            this.softcap = cap;
            return this;
        }

        /**
         * Masks the keys beyond each query's position.
         *
         * @param alignment which key a query stands at if the lengths differ
         * @return this
         */
        public Builder causal(Alignment alignment) {
            this.causal = true;
            return align(alignment);
        }

        /**
         * Masks the keys beyond each query's position, which is given: query i sees key j if j ≤ i + offset.
         *
         * @param offsets one for all batch rows, or one for each
         * @return this
         */
        public Builder causalOffsets(int... offsets) {
            this.causal = true;
            return alignOffsets(offsets);
        }

        /**
         * Sees only the keys near each query's position p: p − left ≤ key ≤ p + right. A "window of W that includes
         * itself" is left = W − 1. Positions are top-left unless {@link #align} or {@link #alignOffsets} says otherwise.
         *
         * @param left how many keys before, −1 for all
         * @param right how many keys beyond, −1 for all; causal overrides it
         * @return this
         * @throws IllegalArgumentException if below −1
         */
        public Builder window(int left, int right) {
            if (left < -1 || right < -1) {
                throw new IllegalArgumentException(
                        "window: left " + left + ", right " + right + ", each must be -1 (unbounded) or more");
            }
            this.windowLeft = left;
            this.windowRight = right;
            return this;
        }

        /**
         * Says which key a query stands at, for causal and window.
         *
         * @param alignment top-left unless set
         * @return this
         */
        public Builder align(Alignment alignment) {
            this.alignment = Objects.requireNonNull(alignment, "alignment");
            this.offsets = new int[0];
            return this;
        }

        /**
         * Says which key a query stands at, for causal and window: query i at key i + offset.
         *
         * @param offsets one for all batch rows, or one for each; negative is legal
         * @return this
         * @throws IllegalArgumentException if there is none
         */
        public Builder alignOffsets(int... offsets) {
            if (offsets.length == 0) {
                throw new IllegalArgumentException("offsets: none given, must be 1 or one per batch row");
            }
            for (int offset : offsets) {
                if (Math.abs((long) offset) > AttentionProblem.MAX_LENGTH) {
                    throw new IllegalArgumentException(
                            "offsets: " + offset + ", must be within ±" + AttentionProblem.MAX_LENGTH);
                }
            }
            this.offsets = offsets.clone();
            return this;
        }

        /**
         * Sets which keys each query may attend to: true = attend. (PyTorch's {@code nn.MultiheadAttention} has it the
         * other way round; its {@code scaled_dot_product_attention} as here.)
         *
         * @param mask BOOL, broadcast right-aligned against [batch, heads, queryLength, keyLength]; null for none
         * @return this
         * @throws IllegalArgumentException if it is not BOOL or has more than 4 axes
         */
        public Builder mask(Tensor mask) {
            if (mask != null && mask.dtype() != DType.BOOL) {
                throw new IllegalArgumentException(
                        "mask: type " + mask.dtype() + ", must be BOOL (true = attend); numbers to add are a bias");
            }
            this.mask = checkRank("mask", mask);
            return this;
        }

        /**
         * Sets what is added to the scores after scale and softcap; −∞ masks.
         *
         * @param bias a float type, broadcast right-aligned against [batch, heads, queryLength, keyLength]; null for none
         * @return this
         * @throws IllegalArgumentException if it is not a float type or has more than 4 axes
         */
        public Builder bias(Tensor bias) {
            if (bias != null && !bias.dtype().isFloat()) {
                throw new IllegalArgumentException(
                        "bias: type " + bias.dtype() + ", must be a float type; a boolean tensor is a mask");
            }
            this.bias = checkRank("bias", bias);
            return this;
        }

        /**
         * Asks for the softmax's weights [batch, heads, queryLength, keyLength], float32.
         *
         * @param wanted false by default
         * @return this
         */
        public Builder weights(boolean wanted) {
            this.wantsWeights = wanted;
            return this;
        }

        /**
         * Asks for the scores' natural log-sum-exp [batch, heads, queryLength], float32, after scale, softcap, bias and
         * masks.
         *
         * @param wanted false by default
         * @return this
         */
        public Builder logSumExp(boolean wanted) {
            this.wantsLogSumExp = wanted;
            return this;
        }

        /**
         * The operation as set so far.
         *
         * @return immutable; its mask and bias are the very tensors given
         */
        public Attention build() {
            return new Attention(this);
        }

        private static Tensor checkRank(String name, Tensor tensor) {
            if (tensor != null && tensor.rank() > 4) {
                throw new IllegalArgumentException(name + ": shape " + Shapes.text(tensor.shape())
                        + ", must have at most 4 axes [batch, heads, queryLength, keyLength]");
            }
            return tensor;
        }
    }
}
