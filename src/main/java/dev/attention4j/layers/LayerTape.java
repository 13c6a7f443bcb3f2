package dev.attention4j.layers;

import dev.attention4j.AttentionTape;
import dev.attention4j.Tensor;
import java.util.Map;

/**
 * A call of a layer that remembers what its gradients need. {@link AttentionLayer#callForGradients} makes one.
 *
 * <p>Beside the result it keeps, where the engine computes, the heads of query, key, value and gate, the attention's output and
 * its log-sum-exp. These are, in floats, queryHeads · (keyDim + valueDim + 1) for each position of the query, queryHeads ·
 * valueDim more with a gate, and keyValueHeads · (keyDim + valueDim) for each position of the value. The inputs must stay open and
 * unchanged until the gradients are computed. Closing this closes the result.
 */
public final class LayerTape implements AutoCloseable {
    private final AttentionLayer layer;
    final LayerState state;
    final long version;
    final AttentionInputs inputs;
    final AttendedAxes axes;
    final Map<String, Tensor> heads;
    final AttentionTape attention;
    private final LayerResult result;
    private boolean closed;

    LayerTape(
            AttentionLayer layer,
            LayerState state,
            AttentionInputs inputs,
            AttendedAxes axes,
            Map<String, Tensor> heads,
            AttentionTape attention,
            LayerResult result) {
        this.layer = layer;
        this.state = state;
        this.version = state.version();
        this.inputs = inputs;
        this.axes = axes;
        this.heads = heads;
        this.attention = attention;
        this.result = result;
    }

    /** {@return the result of the call} */
    public LayerResult result() {
        return result;
    }

    /** {@return the output of the call} */
    public Tensor output() {
        return result.output();
    }

    /**
     * Computes the gradients of a function of the output: of query, value and key, and of every weight. May be called more than
     * once.
     *
     * @param outputGradient the derivative of the function by each element of the output, of the output's shape, FLOAT32, on
     *     the host or the layer's engine
     * @return FLOAT32 tensors
     * @throws IllegalArgumentException if the gradient has another shape or type, or is on another engine
     * @throws IllegalStateException if this, the layer, its engine or a tensor is closed, or the layer's weights have changed
     *     since the call
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public LayerGradients gradients(Tensor outputGradient) {
        return layer.gradients(this, outputGradient);
    }

    synchronized boolean isClosed() {
        return closed;
    }

    @Override
    public synchronized void close() {
        closed = true;
        heads.values().forEach(Tensor::close);
        attention.close();
        result.close();
    }

    @Override
    public String toString() {
        return "LayerTape[" + result + "]";
    }
}
