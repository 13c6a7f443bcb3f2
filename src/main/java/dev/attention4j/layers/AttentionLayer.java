package dev.attention4j.layers;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.LayerOptions.Widths;
import dev.attention4j.spi.TensorChecks;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * The common part of the attention layers: projects inputs into heads, computes their attention on an engine, and projects
 * the heads to the output.
 *
 * <p>A layer is on one engine, which the caller opens and closes. The layer's weights are copied there once, and freed when
 * the layer is closed. It may be called from many threads. A layer that is called before it has weights makes them from
 * its seed. Sums are float32; query, value and key may be float32, float16 or bfloat16, on host or device, and the
 * result is in the query's type, where the query is.
 */
public abstract sealed class AttentionLayer implements AutoCloseable permits MultiHeadAttention, GroupQueryAttention {
    private final LayerOptions options;
    private final AttentionEngine engine;
    /** Calls share it; replacing or closing the weights is exclusive. */
    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    /** Null until there are weights. */
    private LayerState state;

    private boolean closed;

    AttentionLayer(LayerOptions options, AttentionEngine engine) {
        this.options = options;
        this.engine = Objects.requireNonNull(engine, "engine");
    }

    /**
     * Computes self-attention and returns its output: query, value and key are one tensor.
     *
     * @param inputs [batch, length, features], for errors see {@link #call(AttentionInputs)}
     */
    public final Tensor call(Tensor inputs) {
        return call(inputs, inputs);
    }

    /**
     * Attends to a value that is the key as well, and returns the output.
     *
     * @param query [batch, queryLength, features]
     * @param value [batch, keyLength, features], for errors see {@link #call(AttentionInputs)}
     */
    public final Tensor call(Tensor query, Tensor value) {
        return call(query, value, value);
    }

    /**
     * Attends, as {@code layer(inputs, inputs, inputs)} in Keras, and returns the output. Value and key must be the same tensor: Keras's order is
     * query, value, key, others have query, key, value, and if both have the same shape, a swap would go unnoticed. {@link
     * #call(AttentionInputs)} takes different ones by name.
     *
     * @param query [batch, queryLength, features]
     * @param value [batch, keyLength, features]
     * @param key the value
     * @throws IllegalArgumentException if value and key are different tensors, and as {@link #call(AttentionInputs)}
     * @throws IllegalStateException if the layer, its engine or a tensor is closed
     */
    public final Tensor call(Tensor query, Tensor value, Tensor key) {
        if (value != key) {
            throw new IllegalArgumentException("value, key: different tensors by their place alone, must be named:"
                    + " layer.call(AttentionInputs.builder().query(...).value(...).key(...).build()).output()");
        }
        return call(AttentionInputs.builder().query(query).value(value).key(key).build())
                .output();
    }

    /**
     * Attends.
     *
     * @param inputs query, value, key and masks
     * @return output, and scores if they were asked for
     * @throws IllegalArgumentException if they do not fit together, or do not fit the layer's weights; says which
     *     argument, what it was and what it must be
     * @throws IllegalStateException if the layer, its engine or a tensor is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public final LayerResult call(AttentionInputs inputs) {
        Objects.requireNonNull(inputs, "inputs");
        AttendedAxes axes = inputs.check(options, engine);
        Attention attention = operation(inputs, axes, 0);
        initialize(
                inputs.query().size(-1), inputs.value().size(-1), inputs.key().size(-1));
        return shared(() -> {
            LayerState now = state();
            inputs.checkFeatures(now.widths);
            return new LayerForward(engine, options, now, inputs, axes, attention).call();
        });
    }

    /**
     * Attends and keeps what gradients need, as training does.
     *
     * @param inputs query, value, key and masks; query, value and key FLOAT32. They must stay open and unchanged until the
     *     gradients are computed
     * @return the result and what gives its gradients; to be closed
     * @throws IllegalArgumentException as {@link #call(AttentionInputs)}, and if an input is of 16 bits
     * @throws IllegalStateException if the layer, its engine or a tensor is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public final LayerTape callForGradients(AttentionInputs inputs) {
        Objects.requireNonNull(inputs, "inputs");
        AttendedAxes axes = inputs.check(options, engine);
        if (inputs.query().dtype() != DType.FLOAT32) {
            throw new IllegalArgumentException(
                    "query: type " + inputs.query().dtype() + ", must be FLOAT32 for gradients: Tensor.to converts it");
        }
        Attention attention = operation(inputs, axes, options.dropout);
        initialize(
                inputs.query().size(-1), inputs.value().size(-1), inputs.key().size(-1));
        return shared(() -> {
            LayerState now = state();
            inputs.checkFeatures(now.widths);
            return new LayerForward(engine, options, now, inputs, axes, attention).record(this);
        });
    }

    /** Computes the gradients of a call; for its tape. */
    final LayerGradients gradients(LayerTape tape, Tensor outputGradient) {
        Objects.requireNonNull(outputGradient, "outputGradient");
        initializeTraining();
        return shared(() -> {
            if (tape.isClosed()) {
                throw new IllegalStateException("the tape is closed");
            }
            if (state() != tape.state || tape.version != tape.state.version()) {
                throw new IllegalStateException("the layer's weights have changed since the call, must be as they were:"
                        + " take the gradients before a step or load");
            }
            TensorChecks.gradient("outputGradient", outputGradient, tape.output(), engine);
            return LayerBackward.of(engine, tape, outputGradient);
        });
    }

    private Attention operation(AttentionInputs inputs, AttendedAxes axes, double dropout) {
        AttentionBuilder attention =
                Attention.builder().weights(inputs.wantsScores()).dropout(dropout, inputs.dropoutSeed());
        LayerMasks.set(attention, inputs, axes, options.queryHeads);
        if (inputs.isCausal()) {
            attention.causal(Alignment.TOP_LEFT);
        }
        if (options.slidingWindow > 0) {
            int keys = options.slidingWindow - 1;
            attention.window(keys, keys);
        }
        return attention.build();
    }

    // ---- weights

    /**
     * Makes the weights from the seed for inputs of these widths, if there are none yet, as the first call does.
     *
     * @param queryFeatures the query's last axis
     * @param valueFeatures the value's last axis
     * @param keyFeatures the key's last axis
     * @throws IllegalArgumentException if a width is below 1
     * @throws IllegalStateException if the layer is closed
     */
    public final void initialize(long queryFeatures, long valueFeatures, long keyFeatures) {
        TensorChecks.atLeast("queryFeatures", queryFeatures, 1);
        TensorChecks.atLeast("valueFeatures", valueFeatures, 1);
        TensorChecks.atLeast("keyFeatures", keyFeatures, 1);
        if (hasWeights() && !shared(() -> state != null && state.isStale())) {
            return;
        }
        exclusive(() -> {
            checkOpen();
            if (state == null) {
                Widths widths = new Widths(queryFeatures, valueFeatures, keyFeatures);
                state = new LayerState(engine, widths, LayerWeights.of(initial(widths)));
            }
            state.refresh();
        });
    }

    private void initializeTraining() {
        if (shared(() -> state().isTrained() && !state().isStale())) {
            return;
        }
        exclusive(() -> {
            state().train();
            state().refresh();
        });
    }

    private Map<String, Tensor> initial(Widths widths) {
        SplittableRandom random = new SplittableRandom(options.seed);
        Map<String, Tensor> weights = new LinkedHashMap<>();
        options.weights(widths).forEach((name, weight) -> {
            Tensor tensor = Tensor.zeros(DType.FLOAT32, weight.shape());
            weight.initializer().fill(tensor.floats(), weight.fanIn(), weight.fanOut(), random.split());
            weights.put(name, tensor);
        });
        return weights;
    }

    /**
     * Sets the weights, instead of any that are there, after the calls under way have ended.
     *
     * @param weights every weight of this layer, and no other
     * @throws IllegalArgumentException if a weight is missing, is not one of this layer's, or has a wrong shape; names
     *     it and lists what there is
     * @throws IllegalStateException if the layer is closed
     */
    public final void load(LayerWeights weights) {
        Objects.requireNonNull(weights, "weights");
        Widths widths = weights.widths(options);
        exclusive(() -> {
            checkOpen();
            LayerState loaded = new LayerState(engine, widths, weights);
            if (state != null) {
                state.close();
            }
            state = loaded;
        });
    }

    /**
     * Steps the weights in place, where the engine computes, after the calls under way have ended; the next call uses them. Names
     * are those of {@link LayerWeights}.
     *
     * @param optimizer on this layer's engine, for errors see {@link #step(Optimizer, String, LayerGradients)}
     */
    public final void step(Optimizer optimizer, LayerGradients gradients) {
        step(optimizer, "", gradients);
    }

    /**
     * Steps the weights as above, by an optimizer that steps other layers too. After a failure of the device some weights are
     * stepped and some are not.
     *
     * @param optimizer on this layer's engine
     * @param prefix goes before the names of the weights, so that the optimizer tells this layer's from others, such as {@code
     *     encoder.attention.}
     * @param gradients of this layer's weights
     * @throws IllegalArgumentException if the gradients are not those of such weights, or the optimizer is on another engine
     * @throws IllegalStateException if the layer has no weights, or it, its engine, the optimizer or a gradient is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public final void step(Optimizer optimizer, String prefix, LayerGradients gradients) {
        Objects.requireNonNull(optimizer, "optimizer");
        Objects.requireNonNull(prefix, "prefix");
        Objects.requireNonNull(gradients, "gradients");
        exclusive(() -> {
            LayerState now = state();
            now.train();
            Map<String, Tensor> weights = named(prefix, now.tensors());
            Map<String, Tensor> byWeights = named(prefix, gradients.weights());
            optimizer.check(engine, weights, byWeights);
            now.change(() -> optimizer.step(weights, byWeights));
        });
    }

    private static Map<String, Tensor> named(String prefix, Map<String, Tensor> tensors) {
        Map<String, Tensor> named = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> named.put(prefix + name, tensor));
        return named;
    }

    /**
     * The weights, in Keras's names and shapes.
     *
     * @return on the host; changing them does not change the layer
     * @throws IllegalStateException if there are none yet, or the layer is closed
     */
    public final LayerWeights weights() {
        return shared(() -> state().weights());
    }

    /**
     * {@return true if there are weights: after the first {@link #load}, {@link #initialize} or call}
     */
    public final boolean hasWeights() {
        return shared(() -> {
            checkOpen();
            return state != null;
        });
    }

    /** {@return the seed of the first weights: the one set, or the one drawn} */
    public final long seed() {
        return options.seed;
    }

    @Override
    public final String toString() {
        return shared(() -> {
            String weights = closed ? "closed" : state == null ? "no weights yet" : state.toString();
            return getClass().getSimpleName() + options.description() + " on " + engine + ", " + weights;
        });
    }

    private <T> T shared(Supplier<T> work) {
        lock.readLock().lock();
        try {
            return work.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    private void exclusive(Runnable work) {
        lock.writeLock().lock();
        try {
            work.run();
        } finally {
            lock.writeLock().unlock();
        }
    }

    private LayerState state() {
        checkOpen();
        if (state == null) {
            throw new IllegalStateException(
                    "weights: there are none yet; load(LayerWeights) takes some, initialize(...) or a call makes some");
        }
        return state;
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the layer is closed");
        }
    }

    /** Waits for calls under way and frees the weights; the engine stays open. Closing again does nothing. */
    @Override
    public final void close() {
        exclusive(() -> {
            closed = true;
            if (state != null) {
                state.close();
                state = null;
            }
        });
    }
}
