package dev.attention4j.layers;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * What a layer is called with, each by its name, so that nobody swaps key and value unseen. Immutable.
 *
 * <p>Masks are boolean, true = attend, and are and-ed with each other, with causal and with the layer's sliding window.
 * (PyTorch's {@code nn.MultiheadAttention} has its masks the other way round: there true = ignore. Keras's
 * MultiHeadAttention overlooks a query mask that is given by argument, and heeds one that its query carries; here the
 * query mask is heeded.)
 */
public final class AttentionInputs {
    private final Tensor query;
    private final Tensor value;
    private final Tensor key;
    private final Tensor queryMask;
    private final Tensor valueMask;
    private final Tensor keyMask;
    private final Tensor attentionMask;
    private final boolean causal;
    private final boolean wantsScores;

    private AttentionInputs(Builder builder) {
        query = given("query", builder.query);
        value = given("value", builder.value);
        key = builder.key == null ? value : builder.key;
        queryMask = builder.queryMask;
        valueMask = builder.valueMask;
        keyMask = builder.keyMask;
        attentionMask = builder.attentionMask;
        causal = builder.causal;
        wantsScores = builder.wantsScores;
    }

    private static Tensor given(String name, Tensor tensor) {
        if (tensor == null) {
            throw new IllegalArgumentException(name + ": not given, must be a tensor");
        }
        return tensor;
    }

    /** {@return a builder of nothing yet; query and value must be given} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return what looks: [batch, queryLength, features], or with more axes of positions} */
    public Tensor query() {
        return query;
    }

    /** {@return what is summed: [batch, keyLength, features], or with more axes of positions} */
    public Tensor value() {
        return value;
    }

    /**
     * {@return what is looked at: [batch, keyLength, features], or with more axes of positions; the value unless
     * given}
     */
    public Tensor key() {
        return key;
    }

    /** {@return which queries attend at all, of the query's shape without its features; empty for all} */
    public Optional<Tensor> queryMask() {
        return Optional.ofNullable(queryMask);
    }

    /** {@return which values may be attended to, of the value's shape without its features; empty for all} */
    public Optional<Tensor> valueMask() {
        return Optional.ofNullable(valueMask);
    }

    /** {@return which keys may be attended to, of the key's shape without its features; empty for all} */
    public Optional<Tensor> keyMask() {
        return Optional.ofNullable(keyMask);
    }

    /** {@return which keys each query may attend to, say [batch, queryLength, keyLength]; empty for all} */
    public Optional<Tensor> attentionMask() {
        return Optional.ofNullable(attentionMask);
    }

    /** {@return true if query i may attend to key j only if j ≤ i} */
    public boolean isCausal() {
        return causal;
    }

    /** {@return true if the scores are wanted} */
    public boolean wantsScores() {
        return wantsScores;
    }

    /** Collects what a layer is called with; how it fits the layer is checked when that is called. */
    public static final class Builder {
        private Tensor query;
        private Tensor value;
        private Tensor key;
        private Tensor queryMask;
        private Tensor valueMask;
        private Tensor keyMask;
        private Tensor attentionMask;
        private boolean causal;
        private boolean wantsScores;

        private Builder() {}

        /**
         * Sets what looks.
         *
         * @param query [batch, queryLength, features], or with more axes of positions
         * @return this
         */
        public Builder query(Tensor query) {
            this.query = query;
            return this;
        }

        /**
         * Sets what is summed, and looked at too unless a key is given.
         *
         * @param value [batch, keyLength, features], or with more axes of positions
         * @return this
         */
        public Builder value(Tensor value) {
            this.value = value;
            return this;
        }

        /**
         * Sets what is looked at.
         *
         * @param key [batch, keyLength, features], with as many positions as the value; null for the value
         * @return this
         */
        public Builder key(Tensor key) {
            this.key = key;
            return this;
        }

        /**
         * Sets which queries attend at all; the others get the output of a query with no key to attend to.
         *
         * @param mask BOOL, the query's shape without its features; null for all
         * @return this
         * @throws IllegalArgumentException if it is not BOOL
         */
        public Builder queryMask(Tensor mask) {
            this.queryMask = checked("queryMask", mask);
            return this;
        }

        /**
         * Sets which values may be attended to.
         *
         * @param mask BOOL, the value's shape without its features; null for all
         * @return this
         * @throws IllegalArgumentException if it is not BOOL
         */
        public Builder valueMask(Tensor mask) {
            this.valueMask = checked("valueMask", mask);
            return this;
        }

        /**
         * Sets which keys may be attended to.
         *
         * @param mask BOOL, the key's shape without its features; null for all
         * @return this
         * @throws IllegalArgumentException if it is not BOOL
         */
        public Builder keyMask(Tensor mask) {
            this.keyMask = checked("keyMask", mask);
            return this;
        }

        /**
         * Sets which keys each query may attend to.
         *
         * @param mask BOOL, [batch, queryLength, keyLength] or [batch, heads, queryLength, keyLength], or [queryLength,
         *     keyLength] for all of the batch; axes of 1 stand for all; with several attention axes, each length is as
         *     many axes; null for all
         * @return this
         * @throws IllegalArgumentException if it is not BOOL
         */
        public Builder attentionMask(Tensor mask) {
            this.attentionMask = checked("attentionMask", mask);
            return this;
        }

        /**
         * Masks the keys beyond each query's own position, both counted from the start.
         *
         * @param causal false by default
         * @return this
         */
        public Builder causal(boolean causal) {
            this.causal = causal;
            return this;
        }

        /**
         * Asks for the scores: the softmax's weights.
         *
         * @param wanted false by default
         * @return this
         */
        public Builder scores(boolean wanted) {
            this.wantsScores = wanted;
            return this;
        }

        /**
         * The inputs as set so far.
         *
         * @return immutable; its tensors are the very ones given
         * @throws IllegalArgumentException if query or value is missing; names it
         */
        public AttentionInputs build() {
            return new AttentionInputs(this);
        }

        private static Tensor checked(String name, Tensor mask) {
            if (mask != null && mask.dtype() != DType.BOOL) {
                throw new IllegalArgumentException(name + ": type " + mask.dtype() + " of shape "
                        + Arrays.toString(mask.shape()) + ", must be BOOL (true = attend)");
            }
            return mask;
        }
    }
}
