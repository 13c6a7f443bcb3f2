package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;

/**
 * The options that all attention layers have, each checked as it is set.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class LayerBuilder<B extends LayerBuilder<B>>
        permits MultiHeadAttention.Builder, GroupQueryAttention.Builder {
    private boolean bias = true;
    private boolean gate;
    private int slidingWindow;
    private Initializer kernelInitializer = Initializer.GLOROT_UNIFORM;
    private Initializer biasInitializer = Initializer.ZEROS;
    private Long seed;

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
     * Sets the share of weights that training drops. It is inactive in inference, and this library does inference: it
     * is taken so that a configuration can be given as it is.
     *
     * @param rate 0 to 1; 0 by default
     * @return this
     * @throws IllegalArgumentException if it is not 0 to 1
     */
    public final B dropout(double rate) {
        if (!(rate >= 0 && rate <= 1)) {
            throw new IllegalArgumentException("dropout: " + rate + ", must be 0 to 1");
        }
        return self();
    }

    /**
     * Sets whether every projection has a bias.
     *
     * @param wanted true by default
     * @return this
     */
    public final B bias(boolean wanted) {
        this.bias = wanted;
        return self();
    }

    /**
     * Sets whether the heads are gated: multiplied, element by element, by the logistic function of one more projection
     * of the query, before they are projected together.
     *
     * @param wanted false by default
     * @return this
     */
    public final B gate(boolean wanted) {
        this.gate = wanted;
        return self();
    }

    /**
     * Lets a query see only the keys near it: query i sees key j if |i − j| &lt; size.
     *
     * @param size at least 1; all keys unless set
     * @return this
     * @throws IllegalArgumentException if it is below 1
     */
    public final B slidingWindow(int size) {
        this.slidingWindow = positive("slidingWindow", size);
        return self();
    }

    /**
     * Sets who makes the first kernels.
     *
     * @param initializer {@link Initializer#GLOROT_UNIFORM} by default
     * @return this
     */
    public final B kernelInitializer(Initializer initializer) {
        this.kernelInitializer = Objects.requireNonNull(initializer, "kernelInitializer");
        return self();
    }

    /**
     * Sets who makes the first biases.
     *
     * @param initializer {@link Initializer#ZEROS} by default
     * @return this
     */
    public final B biasInitializer(Initializer initializer) {
        this.biasInitializer = Objects.requireNonNull(initializer, "biasInitializer");
        return self();
    }

    /**
     * Sets what the first weights are made from: the same seed gives the same weights. They are not Keras's for that
     * seed, only distributed alike.
     *
     * @param seed any number; another each time unless set
     * @return this
     */
    public final B seed(long seed) {
        this.seed = seed;
        return self();
    }

    final LayerOptions options(
            int queryHeads,
            int keyValueHeads,
            int keyDim,
            int valueDim,
            List<Integer> outputShape,
            List<Integer> attentionAxes) {
        return new LayerOptions(
                queryHeads,
                keyValueHeads,
                keyDim,
                valueDim,
                bias,
                gate,
                outputShape,
                attentionAxes,
                slidingWindow,
                kernelInitializer,
                biasInitializer,
                seed == null ? new SplittableRandom().nextLong() : seed);
    }

    static int positive(String name, int was) {
        if (was < 1) {
            throw new IllegalArgumentException(name + ": " + was + ", must be 1 or more");
        }
        return was;
    }

    static int set(String name, int was) {
        if (was == 0) {
            throw new IllegalArgumentException(name + ": not set, must be 1 or more");
        }
        return was;
    }
}
