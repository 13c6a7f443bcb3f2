package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.spi.TensorChecks;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;

/**
 * The gradients of a call of a layer: of its inputs and of all its weights, FLOAT32. Those of inputs are where the query was;
 * those of weights are where the layer's engine computes. Closing this closes its tensors.
 */
public final class LayerGradients implements AutoCloseable {
    private final AttentionEngine engine;
    private final Tensor query;
    private final Tensor value;
    private final Tensor key;
    private final Map<String, Tensor> weights;

    LayerGradients(AttentionEngine engine, Tensor query, Tensor value, Tensor key, Map<String, Tensor> weights) {
        this.engine = engine;
        this.query = query;
        this.value = value;
        this.key = key;
        this.weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
    }

    /**
     * {@return the gradient of the query, of its shape; if the same tensor was the value or the key too, the sum over its uses,
     * which {@link #value()} or {@link #key()} returns too}
     */
    public Tensor query() {
        return query;
    }

    /** {@return the gradient of the value, of its shape; the sum over all uses of the tensor that was the value} */
    public Tensor value() {
        return value;
    }

    /** {@return the gradient of the key, of its shape; the sum over all uses of the tensor that was the key} */
    public Tensor key() {
        return key;
    }

    /** {@return the gradient of every weight, by the names and in the shapes of {@link LayerWeights}, unmodifiable} */
    public Map<String, Tensor> weights() {
        return weights;
    }

    /**
     * Adds the gradients of weights of another call, so that a batch can be computed in parts. Those of inputs stay as they are:
     * they belong to the inputs of this call.
     *
     * @param other of the same layer, or of one with the same weights
     * @throws IllegalArgumentException if it has other weights, or is on another engine
     * @throws IllegalStateException if this, the other or the engine is closed
     * @throws dev.attention4j.DeviceException if the device fails; then some are added and some not
     */
    public void add(LayerGradients other) {
        if (!weights.keySet().equals(other.weights.keySet())) {
            throw new IllegalArgumentException(
                    "other: has gradients of " + other.weights.keySet() + ", must be of " + weights.keySet());
        }
        weights.forEach((name, gradient) -> {
            TensorChecks.open(name, gradient);
            TensorChecks.gradient(name, other.weights.get(name), gradient, engine);
        });
        weights.forEach((name, gradient) ->
                engine.updates().update(TensorUpdates.Update.ADD, gradient, other.weights.get(name), null, null));
    }

    @Override
    public void close() {
        new LinkedHashSet<>(weights.values()).forEach(Tensor::close);
        query.close();
        value.close();
        key.close();
    }

    @Override
    public String toString() {
        return "LayerGradients[query=" + query + ", value=" + value + ", key=" + key + ", weights=" + weights + "]";
    }
}
