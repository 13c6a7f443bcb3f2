package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.List;

/**
 * Multi-head attention (Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2) with the options, the weights
 * and the argument order of Keras's layer of the same name.
 *
 * <p>Weights, by Keras's names: {@code query.kernel} [features, heads, keyDim], {@code key.kernel} the same, {@code
 * value.kernel} [features, heads, valueDim], {@code attention_output.kernel} [heads, valueDim, outputs...], a bias
 * without the first axis for each, and {@code gate} like value where there is a gate.
 */
public final class MultiHeadAttention extends AttentionLayer {
    private MultiHeadAttention(LayerOptions options, AttentionEngine engine) {
        super(options, engine);
    }

    /** {@return a builder with Keras's defaults; heads and keyDim must be set} */
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
         * Sets the number of heads.
         *
         * @param count at least 1
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder heads(int count) {
            options.queryHeads = TensorChecks.atLeast("heads", count, 1);
            return this;
        }

        /**
         * Sets the width of each head of query and key; not that of all heads together.
         *
         * @param width at least 1
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder keyDim(int width) {
            options.keyDim = TensorChecks.atLeast("keyDim", width, 1);
            return this;
        }

        /**
         * Sets the width of each head of value.
         *
         * @param width at least 1; keyDim unless set
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder valueDim(int width) {
            options.valueDim = TensorChecks.atLeast("valueDim", width, 1);
            return this;
        }

        /**
         * Sets the output's axes after those of the positions.
         *
         * @param sizes each at least 1; the query's features unless set
         * @throws IllegalArgumentException if there is none, or one is below 1
         */
        public Builder outputShape(int... sizes) {
            for (int size : sizes) {
                TensorChecks.atLeast("outputShape", size, 1);
            }
            options.outputShape = some("outputShape", sizes);
            return this;
        }

        /**
         * Sets which of the inputs' axes are attended over, for inputs with more axes than [batch, length, features].
         * The others are like the batch: each of their positions is computed by itself.
         *
         * @param axes 1 to the last but one, or negative, counted from the end; all of these unless set
         * @throws IllegalArgumentException if there is none; one out of range is found when the layer is called
         */
        public Builder attentionAxes(int... axes) {
            options.attentionAxes = some("attentionAxes", axes);
            return this;
        }

        @Override
        public MultiHeadAttention build(AttentionEngine engine) {
            LayerOptions complete = options.copy();
            complete.keyDim = set("keyDim", options.keyDim);
            complete.valueDim = options.valueDim == 0 ? options.keyDim : options.valueDim;
            complete.keyValueHeads = set("heads", options.queryHeads);
            return new MultiHeadAttention(complete, engine);
        }

        private static List<Integer> some(String name, int... numbers) {
            if (numbers.length == 0) {
                throw new IllegalArgumentException(name + ": none given, must be at least one");
            }
            return Arrays.stream(numbers).boxed().toList();
        }
    }
}
