package dev.attention4j.layers;

import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** A layer's weights in the memory of its engine. */
final class Projections implements AutoCloseable {
    private final Projector projector;
    private final Map<String, Projection> byName = new HashMap<>();

    private interface Preparation {
        Projection prepare(String name, Tensor kernel, Tensor bias);
    }

    private Projections(Projector projector) {
        this.projector = projector;
    }

    /** Copies every weight there, once; the weights are complete and of the right shapes. */
    static Projections of(Projector projector, Map<String, Tensor> weights) {
        Projections projections = new Projections(projector);
        projections.prepare(weights, projections::prepare);
        return projections;
    }

    /** Copies every kernel transposed: from gradients of results to those of inputs. */
    static Projections transposed(Projector projector, Map<String, Tensor> weights) {
        Projections projections = new Projections(projector);
        projections.prepare(weights, projections::prepareTransposed);
        return projections;
    }

    private void prepare(Map<String, Tensor> weights, Preparation preparation) {
        try {
            weights.forEach((name, kernel) -> {
                if (name.endsWith(LayerOptions.KERNEL)) {
                    String projection = name.substring(0, name.length() - LayerOptions.KERNEL.length());
                    Tensor bias = weights.get(projection + LayerOptions.BIAS);
                    byName.put(projection, preparation.prepare(projection, kernel, bias));
                }
            });
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private Projection prepareTransposed(String name, Tensor kernel, Tensor bias) {
        if (!name.equals(LayerOptions.OUTPUT)) {
            Tensor flat = kernel.reshape(kernel.size(0), 1, kernel.size(1) * kernel.size(2));
            return projector.prepare(flat.permute(2, 1, 0), null);
        }
        long outputs = kernel.elementCount() / (kernel.size(0) * kernel.size(1));
        Tensor flat = kernel.reshape(kernel.size(0), kernel.size(1), outputs);
        return projector.prepare(flat.permute(2, 0, 1), null);
    }

    private Projection prepare(String name, Tensor kernel, Tensor bias) {
        if (!name.equals(LayerOptions.OUTPUT)) {
            return projector.prepare(kernel, bias);
        }
        long inputs = kernel.size(0) * kernel.size(1);
        long outputs = kernel.elementCount() / inputs;
        return projector.prepare(kernel.reshape(inputs, 1, outputs), bias == null ? null : bias.reshape(1, outputs));
    }

    /**
     * Projects a call's inputs into heads; an input that is given more than once is read once.
     *
     * @param flatten turns an input into [batch, length, features]
     * @return [batch, heads, length, width] for each projection of an input, by name; closed by the caller
     */
    Map<String, Tensor> toHeads(AttentionInputs inputs, UnaryOperator<Tensor> flatten) {
        Map<String, Tensor> heads = new HashMap<>();
        try {
            for (Map.Entry<Tensor, List<String>> use : uses(inputs).entrySet()) {
                List<String> names = use.getValue();
                List<Projection> projections = names.stream().map(byName::get).toList();
                List<Tensor> results = projector.toHeads(flatten.apply(use.getKey()), projections);
                for (int n = 0; n < names.size(); n++) {
                    heads.put(names.get(n), results.get(n));
                }
            }
        } catch (RuntimeException | Error e) {
            heads.values().forEach(Tensor::close);
            throw e;
        }
        return heads;
    }

    /** Returns the names of the projections of each input, which may be query, key and value at once. */
    Map<Tensor, List<String>> uses(AttentionInputs inputs) {
        // By identity, because tensors have no equals.
        Map<Tensor, List<String>> uses = new LinkedHashMap<>();
        addUse(LayerOptions.QUERY, inputs.query(), uses);
        addUse(LayerOptions.GATE, inputs.query(), uses);
        addUse(LayerOptions.KEY, inputs.key(), uses);
        addUse(LayerOptions.VALUE, inputs.value(), uses);
        return uses;
    }

    private void addUse(String name, Tensor input, Map<Tensor, List<String>> uses) {
        if (byName.containsKey(name)) {
            uses.computeIfAbsent(input, first -> new ArrayList<>()).add(name);
        }
    }

    /** Projects heads [batch, heads, queryLength, valueDim], with a gate of that shape or null, to [batch, queryLength, outputs]. */
    Tensor fromHeads(Tensor attended, Tensor gate) {
        return projector.fromHeads(attended, gate, byName.get(LayerOptions.OUTPUT));
    }

    /** Returns the gradient of gated heads, of transposed projections: from [batch, queryLength, outputs]. */
    Tensor headsGradient(Tensor outputGradient) {
        return projector
                .toHeads(outputGradient, List.of(byName.get(LayerOptions.OUTPUT)))
                .get(0);
    }

    /** Returns the gradient of an input by one of its projections, of transposed projections: [batch, length, features]. */
    Tensor inputGradient(String name, Tensor headsGradient) {
        return projector.fromHeads(headsGradient, null, byName.get(name));
    }

    @Override
    public void close() {
        byName.values().forEach(Projection::close);
    }
}
