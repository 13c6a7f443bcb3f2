package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.Optional;

/**
 * The inputs of a call of a layer, each by its name, so that key and value cannot be swapped unnoticed. Immutable.
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
    /** Never changed. */
    private final Builder options;

    private AttentionInputs(Builder builder) {
        query = given("query", builder.query);
        value = given("value", builder.value);
        key = builder.key == null ? value : builder.key;
        options = builder.copy();
    }

    private static Tensor given(String name, Tensor tensor) {
        if (tensor == null) {
            throw new IllegalArgumentException(name + ": not given, must be a tensor");
        }
        return tensor;
    }

    /** {@return an empty builder; query and value must be given} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return the query: [batch, queryLength, features], or with more axes of positions} */
    public Tensor query() {
        return query;
    }

    /** {@return the value: [batch, keyLength, features], or with more axes of positions} */
    public Tensor value() {
        return value;
    }

    /**
     * {@return the key: [batch, keyLength, features], or with more axes of positions; the value unless given}
     */
    public Tensor key() {
        return key;
    }

    /** {@return which queries attend at all, of the query's shape without its features; empty for all} */
    public Optional<Tensor> queryMask() {
        return Optional.ofNullable(options.queryMask);
    }

    /** {@return which values may be attended to, of the value's shape without its features; empty for all} */
    public Optional<Tensor> valueMask() {
        return Optional.ofNullable(options.valueMask);
    }

    /** {@return which keys may be attended to, of the key's shape without its features; empty for all} */
    public Optional<Tensor> keyMask() {
        return Optional.ofNullable(options.keyMask);
    }

    /** {@return which keys each query may attend to, such as [batch, queryLength, keyLength]; empty for all} */
    public Optional<Tensor> attentionMask() {
        return Optional.ofNullable(options.attentionMask);
    }

    /** {@return true if query i may attend to key j only if j ≤ i} */
    public boolean isCausal() {
        return options.causal;
    }

    /** {@return true if the scores are wanted} */
    public boolean wantsScores() {
        return options.wantsScores;
    }

    /** {@return the seed of a layer's dropout} */
    public long dropoutSeed() {
        return options.dropoutSeed;
    }

    /**
     * Checks query, value and key against each other, the layer and its engine, before anything runs.
     *
     * @return the axes that are attended over
     * @throws IllegalArgumentException naming the input that does not fit, what it was and what it must be
     * @throws IllegalStateException if one is closed
     */
    AttendedAxes check(LayerOptions layer, AttentionEngine engine) {
        if (query.rank() < 3) {
            throw new IllegalArgumentException("query: shape " + Arrays.toString(query.shape())
                    + ", must have at least 3 axes [batch, length, features]");
        }
        AttendedAxes axes = new AttendedAxes(query.rank(), layer.attentionAxes);
        checkInput("query", query);
        checkInput("value", value);
        checkInput("key", key);
        sameAxes("value", value, "query", query, "not attended over (batch first)", axes.free);
        sameAxes("key", key, "value", value, "not attended over (batch first)", axes.free);
        sameAxes("key", key, "value", value, "attended over (positions)", axes.attended);
        TensorChecks.owner("query", query, engine);
        TensorChecks.owner("value", value, engine);
        TensorChecks.owner("key", key, engine);
        queryMask().ifPresent(mask -> TensorChecks.owner("queryMask", mask, engine));
        valueMask().ifPresent(mask -> TensorChecks.owner("valueMask", mask, engine));
        keyMask().ifPresent(mask -> TensorChecks.owner("keyMask", mask, engine));
        attentionMask().ifPresent(mask -> TensorChecks.owner("attentionMask", mask, engine));
        if (isCausal() && axes.count() > 1) {
            throw new IllegalArgumentException(
                    "causal: true over " + axes.count() + " attention axes, must be over one, along which it masks");
        }
        if (layer.slidingWindow > 0 && axes.count() > 1) {
            throw new IllegalArgumentException("slidingWindow: " + layer.slidingWindow + " over " + axes.count()
                    + " attention axes, must be over one, along which it slides");
        }
        return axes;
    }

    /** Checks one input on its own, and its type and number of axes against the query's. */
    private void checkInput(String name, Tensor tensor) {
        TensorChecks.open(name, tensor);
        TensorChecks.storage(name, tensor);
        TensorChecks.sameType(name, tensor, "query", query);
        TensorChecks.sameRank(name, tensor, "query", query);
        if (tensor.size(-1) == 0) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(tensor.shape()) + ", must have at least one feature");
        }
    }

    private static void sameAxes(String name, Tensor tensor, String like, Tensor other, String which, int... axes) {
        long[] was = AttendedAxes.sizes(tensor, axes);
        long[] mustBe = AttendedAxes.sizes(other, axes);
        int at = Arrays.mismatch(was, mustBe);
        if (at >= 0) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + " has the axes "
                    + Arrays.toString(was) + " " + which + ", must have " + Arrays.toString(mustBe) + " as " + like
                    + " has: axis " + axes[at] + " is " + was[at] + ", must be " + mustBe[at]);
        }
    }

    /** Checks that the inputs have the features that the weights are for. */
    void checkFeatures(LayerOptions.Widths widths) {
        checkFeatures("query", query, widths.query());
        checkFeatures("value", value, widths.value());
        checkFeatures("key", key, widths.key());
    }

    private static void checkFeatures(String name, Tensor input, long wanted) {
        if (input.size(-1) != wanted) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(input.shape()) + ", must have " + wanted + " features (axis "
                            + (input.rank() - 1) + ", its last) as the weight " + name + LayerOptions.KERNEL + " has");
        }
    }

    /** Collects the inputs; they are checked against a layer when it is called. */
    public static final class Builder implements Cloneable {
        private Tensor query;
        private Tensor value;
        private Tensor key;
        private Tensor queryMask;
        private Tensor valueMask;
        private Tensor keyMask;
        private Tensor attentionMask;
        private boolean causal;
        private boolean wantsScores;
        private long dropoutSeed;

        private Builder() {}

        private Builder copy() {
            try {
                return (Builder) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }

        /**
         * Sets the query.
         *
         * @param query [batch, queryLength, features], or with more axes of positions
         */
        public Builder query(Tensor query) {
            this.query = query;
            return this;
        }

        /**
         * Sets the value, which is the key too unless one is given.
         *
         * @param value [batch, keyLength, features], or with more axes of positions
         */
        public Builder value(Tensor value) {
            this.value = value;
            return this;
        }

        /**
         * Sets the key.
         *
         * @param key [batch, keyLength, features], with as many positions as the value; null for the value
         */
        public Builder key(Tensor key) {
            this.key = key;
            return this;
        }

        /**
         * Sets which queries attend at all; the others get the output of a query with no key to attend to.
         *
         * @param mask BOOL, the query's shape without its features; null for all
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
         * @throws IllegalArgumentException if it is not BOOL
         */
        public Builder attentionMask(Tensor mask) {
            this.attentionMask = checked("attentionMask", mask);
            return this;
        }

        /**
         * Masks the keys after each query's own position, both counted from the start.
         *
         * @param causal false by default
         */
        public Builder causal(boolean causal) {
            this.causal = causal;
            return this;
        }

        /**
         * Asks for the scores: the softmax's weights.
         *
         * @param wanted false by default
         */
        public Builder scores(boolean wanted) {
            this.wantsScores = wanted;
            return this;
        }

        /**
         * Sets which weights {@link AttentionLayer#callForGradients} drops, if the layer has dropout: the same for the same seed, so
         * that each step and each layer of a training wants one of its own.
         *
         * @param seed 0 by default
         */
        public Builder dropoutSeed(long seed) {
            this.dropoutSeed = seed;
            return this;
        }

        /**
         * Returns the inputs as set so far.
         *
         * @return immutable; its tensors are those given, not copies
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
