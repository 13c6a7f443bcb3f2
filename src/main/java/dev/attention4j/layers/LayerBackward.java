package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates.Update;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The backward pass of a layer, from the gradient of its output back to its inputs:
 *
 * <pre>{@code
 * output = gated · Wo + bo           dWo = gatedᵀ · dOutput     dGated = dOutput · Woᵀ
 * gated  = heads ∘ logistic(gate)    dHeads, dGate
 * heads  = attention(q, k, v)        dq, dk, dv
 * q      = query · Wq + bq           dWq = queryᵀ · dq          dQuery = dq · Wqᵀ
 * }</pre>
 *
 * <p>Gradients of biases are sums over all positions. What one tensor is used for adds up.
 */
final class LayerBackward {
    private final AttentionEngine engine;
    private final LayerTape tape;
    /** Of the weights, by name; in the order in which they are computed. */
    private final Map<String, Tensor> computed = new LinkedHashMap<>();

    /** By identity, because tensors have no equals. */
    private final Map<Tensor, Tensor> byInput = new HashMap<>();

    private final List<Tensor> temporaries = new ArrayList<>();

    private LayerBackward(AttentionEngine engine, LayerTape tape) {
        this.engine = engine;
        this.tape = tape;
    }

    /** Computes the gradients of a call, from that of its output, which has the output's shape. */
    static LayerGradients of(AttentionEngine engine, LayerTape tape, Tensor outputGradient) {
        LayerBackward backward = new LayerBackward(engine, tape);
        try {
            return backward.compute(outputGradient);
        } catch (RuntimeException | Error e) {
            backward.computed.values().forEach(Tensor::close);
            backward.byInput.values().forEach(Tensor::close);
            throw e;
        } finally {
            backward.temporaries.forEach(Tensor::close);
        }
    }

    private LayerGradients compute(Tensor outputGradient) {
        Tensor flat = tape.axes.flattenOutput(outputGradient);
        Tensor attended = tape.attention.output();
        Tensor gate = tape.heads.get(LayerOptions.GATE);
        weightGradients(attended, gate, Map.of(LayerOptions.OUTPUT, asOneHead(flat)));
        Tensor byHeads = temporary(tape.state.transposed().headsGradient(flat));
        Map<String, Tensor> gradients = new LinkedHashMap<>();
        if (gate != null) {
            Tensor byGate = temporary(engine.zeros(DType.FLOAT32, gate.shape()));
            engine.updates().update(Update.GATE, byHeads, attended, gate, byGate);
            gradients.put(LayerOptions.GATE, byGate);
        }
        AttentionGradients byAttention = tape.attention.gradients(byHeads);
        gradients.put(LayerOptions.QUERY, temporary(byAttention.query()));
        gradients.put(LayerOptions.KEY, temporary(byAttention.key()));
        gradients.put(LayerOptions.VALUE, temporary(byAttention.value()));
        tape.state.projections().uses(tape.inputs).forEach((input, names) -> {
            Map<String, Tensor> ofInput = new LinkedHashMap<>();
            names.forEach(name -> ofInput.put(name, gradients.get(name)));
            weightGradients(asOneHead(tape.axes.flatten(input)), null, ofInput);
            byInput.put(input, inputGradient(input, ofInput));
        });
        Map<String, Tensor> inOrder = new LinkedHashMap<>();
        tape.state.tensors().keySet().forEach(name -> inOrder.put(name, computed.get(name)));
        return new LayerGradients(
                engine,
                byInput.get(tape.inputs.query()),
                byInput.get(tape.inputs.value()),
                byInput.get(tape.inputs.key()),
                inOrder);
    }

    /** Adds the gradients of the weights of projections, by their names, of one input. */
    private void weightGradients(Tensor input, Tensor gate, Map<String, Tensor> gradients) {
        List<Tensor> stacked = engine.projector().weightGradients(input, gate, List.copyOf(gradients.values()));
        int n = 0;
        for (String name : gradients.keySet()) {
            Tensor both = stacked.get(n++);
            Tensor kernel = tape.state.tensors().get(name + LayerOptions.KERNEL);
            Tensor bias = tape.state.tensors().get(name + LayerOptions.BIAS);
            computed.put(
                    name + LayerOptions.KERNEL, both.slice(0, 1, both.size(0)).reshape(kernel.shape()));
            if (bias != null) {
                computed.put(name + LayerOptions.BIAS, both.slice(0, 0, 1).reshape(bias.shape()));
            }
        }
    }

    /** Returns the gradient of an input, from those of the heads that it was projected to, where the query is. */
    private Tensor inputGradient(Tensor input, Map<String, Tensor> gradients) {
        Tensor sum = null;
        for (Map.Entry<String, Tensor> gradient : gradients.entrySet()) {
            Tensor part = temporary(tape.state.transposed().inputGradient(gradient.getKey(), gradient.getValue()));
            if (sum == null) {
                sum = part;
            } else {
                engine.updates().update(Update.ADD, sum, part, null, null);
            }
        }
        Tensor shaped = tape.axes.unflatten(sum, input, input.size(-1));
        if (tape.inputs.query().isOnHost() != shaped.isOnHost()) {
            return tape.inputs.query().isOnHost() ? engine.download(shaped) : engine.upload(shaped);
        }
        if (shaped.memory() == sum.memory()) {
            temporaries.remove(sum);
        }
        return shaped;
    }

    private Tensor temporary(Tensor tensor) {
        temporaries.add(tensor);
        return tensor;
    }

    /** Returns [batch, length, width] as [batch, 1, length, width]. */
    private static Tensor asOneHead(Tensor tensor) {
        return tensor.reshape(tensor.size(0), 1, tensor.size(1), tensor.size(2));
    }
}
