package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.spi.TensorChecks;

/**
 * Grouped-query attention (Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
 * Checkpoints", 2023) with the options, the weights and the argument order of Keras's layer of the same name: several
 * query heads share a head of key and value.
 *
 * <p>Weights, by Keras's names: {@code query.kernel} [features, queryHeads, headDim], {@code key.kernel} and {@code
 * value.kernel} [features, keyValueHeads, headDim], {@code attention_output.kernel} [queryHeads, headDim, the query's
 * features], a bias without the first axis for each, and {@code gate} like query where there is a gate.
 */
public final class GroupQueryAttention extends AttentionLayer {
    private GroupQueryAttention(LayerOptions options, AttentionEngine engine) {
        super(options, engine);
    }

    /** {@return a builder with Keras's defaults; headDim, queryHeads and keyValueHeads must be set} */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects options; each is checked as it is set. */
    public static final class Builder extends LayerBuilder<Builder> {
        private Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /**
         * Sets the width of each head.
         *
         * @param width at least 1
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder headDim(int width) {
            options.keyDim = TensorChecks.atLeast("headDim", width, 1);
            return this;
        }

        /**
         * Sets the number of heads of the query.
         *
         * @param count at least 1, a multiple of the heads of key and value
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder queryHeads(int count) {
            options.queryHeads = TensorChecks.atLeast("queryHeads", count, 1);
            return this;
        }

        /**
         * Sets the number of heads of key and value; 1 is multi-query attention.
         *
         * @param count at least 1
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder keyValueHeads(int count) {
            options.keyValueHeads = TensorChecks.atLeast("keyValueHeads", count, 1);
            return this;
        }

        @Override
        public GroupQueryAttention build(AttentionEngine engine) {
            int groups = set("keyValueHeads", options.keyValueHeads);
            if (set("queryHeads", options.queryHeads) % groups != 0) {
                throw new IllegalArgumentException("queryHeads: " + options.queryHeads
                        + ", must be a multiple of keyValueHeads, which is " + groups);
            }
            LayerOptions complete = options.copy();
            complete.valueDim = set("headDim", options.keyDim);
            return new GroupQueryAttention(complete, engine);
        }
    }
}
