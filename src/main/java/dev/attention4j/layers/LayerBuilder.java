package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.spi.TensorChecks;
import java.util.Objects;

/**
 * The options that all attention layers have, each checked as it is set.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class LayerBuilder<B extends LayerBuilder<B>>
        permits MultiHeadAttention.Builder, GroupQueryAttention.Builder {
    final LayerOptions options = new LayerOptions();

    LayerBuilder() {}

    /**
     * Makes the layer; its weights are loaded, or made at its first call.
     *
     * @param engine open, and not closed before the layer
     * @return a layer on that engine
     * @throws IllegalArgumentException if an option is missing or contradicts another; names it
     */
    public abstract AttentionLayer build(AttentionEngine engine);

    abstract B self();

    /**
     * Sets the share of weights that training drops, as {@link dev.attention4j.AttentionBuilder#dropout} says: {@link
     * AttentionLayer#callForGradients} drops them by the {@link AttentionInputs.Builder#dropoutSeed} of its inputs, {@code call} none.
     *
     * @param rate 0 or more, and less than 1; 0 by default
     * @throws IllegalArgumentException if it is not
     */
    public final B dropout(double rate) {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("dropout: rate " + rate + ", must be 0 or more, and less than 1");
        }
        options.dropout = rate;
        return self();
    }

    /**
     * Sets whether every projection has a bias.
     *
     * @param wanted true by default
     */
    public final B bias(boolean wanted) {
        options.hasBias = wanted;
        return self();
    }

    /**
     * Sets whether the heads are gated: multiplied, element by element, by the logistic function of one more projection
     * of the query, before the last projection.
     *
     * @param wanted false by default
     */
    public final B gate(boolean wanted) {
        options.hasGate = wanted;
        return self();
    }

    /**
     * Limits a query to the keys near it: query i attends to key j if |i − j| &lt; size.
     *
     * @param size at least 1; all keys unless set
     * @throws IllegalArgumentException if it is below 1
     */
    public final B slidingWindow(int size) {
        options.slidingWindow = TensorChecks.atLeast("slidingWindow", size, 1);
        return self();
    }

    /**
     * Sets the initializer of kernels.
     *
     * @param initializer {@link Initializer#GLOROT_UNIFORM} by default
     */
    public final B kernelInitializer(Initializer initializer) {
        options.kernelInitializer = Objects.requireNonNull(initializer, "kernelInitializer");
        return self();
    }

    /**
     * Sets the initializer of biases.
     *
     * @param initializer {@link Initializer#ZEROS} by default
     */
    public final B biasInitializer(Initializer initializer) {
        options.biasInitializer = Objects.requireNonNull(initializer, "biasInitializer");
        return self();
    }

    /**
     * Sets the seed of the initializers: the same seed gives the same weights. They have the distribution of Keras's weights,
     * but not the values that Keras makes from that seed.
     *
     * @param seed any number; drawn unless set
     */
    public final B seed(long seed) {
        options.seed = seed;
        return self();
    }

    static int set(String name, int was) {
        if (was == 0) {
            throw new IllegalArgumentException(name + ": not set, must be 1 or more");
        }
        return was;
    }
}
