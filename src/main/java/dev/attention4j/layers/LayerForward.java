package dev.attention4j.layers;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The forward pass of a layer: inputs to heads, their attention, and heads to the output. */
final class LayerForward {
    private final AttentionEngine engine;
    private final LayerOptions options;
    private final LayerState state;
    private final AttentionInputs inputs;
    private final AttendedAxes axes;
    private final Attention attention;
    /** Closed at the end of the call. */
    private final List<Tensor> temporaries = new ArrayList<>();

    /** Prepares a call of inputs that were checked, under the layer's lock. */
    LayerForward(
            AttentionEngine engine,
            LayerOptions options,
            LayerState state,
            AttentionInputs inputs,
            AttendedAxes axes,
            Attention attention) {
        this.engine = engine;
        this.options = options;
        this.state = state;
        this.inputs = inputs;
        this.axes = axes;
        this.attention = attention;
    }

    /** Computes the result, and keeps nothing else. */
    LayerResult call() {
        try {
            Map<String, Tensor> heads = state.projections().toHeads(inputs, axes::flatten);
            temporaries.addAll(heads.values());
            AttentionResult attended = engine.attend(
                    heads.get(LayerOptions.QUERY),
                    heads.get(LayerOptions.KEY),
                    heads.get(LayerOptions.VALUE),
                    attention);
            temporaries.add(attended.output());
            return result(heads, attended);
        } finally {
            temporaries.forEach(Tensor::close);
        }
    }

    /** Computes the result, and keeps what the backward pass of a layer needs. */
    LayerTape record(AttentionLayer layer) {
        Map<String, Tensor> heads = state.projections().toHeads(inputs, axes::flatten);
        AttentionTape tape = null;
        try {
            tape = engine.attendForGradients(
                    heads.get(LayerOptions.QUERY),
                    heads.get(LayerOptions.KEY),
                    heads.get(LayerOptions.VALUE),
                    attention);
            return new LayerTape(layer, state, inputs, axes, heads, tape, result(heads, tape.result()));
        } catch (RuntimeException | Error e) {
            heads.values().forEach(Tensor::close);
            if (tape != null) {
                tape.close();
            }
            throw e;
        } finally {
            temporaries.forEach(Tensor::close);
        }
    }

    /** Returns the layer's result from the attention's. */
    private LayerResult result(Map<String, Tensor> heads, AttentionResult attended) {
        Tensor query = inputs.query();
        Tensor scores = null;
        Tensor merged = null;
        try {
            if (inputs.wantsScores()) {
                scores = whereQueryIs(attended.weights())
                        .reshape(axes.scoresShape(query, inputs.key(), options.queryHeads));
            }
            merged = state.projections().fromHeads(attended.output(), heads.get(LayerOptions.GATE));
            Tensor output = axes.unflatten(merged, query, options.outputAxes(state.widths));
            if (output.memory() != merged.memory()) {
                temporaries.add(merged);
            }
            return new LayerResult(whereQueryIs(output), scores, attended.plan());
        } catch (RuntimeException | Error e) {
            for (Tensor made : Arrays.asList(scores, merged)) {
                if (made != null) {
                    made.close();
                }
            }
            throw e;
        }
    }

    /** Moves a result to the query's device; a replaced original becomes a temporary. */
    private Tensor whereQueryIs(Tensor result) {
        if (inputs.query().isOnHost() == result.isOnHost()) {
            return result;
        }
        temporaries.add(result);
        return inputs.query().isOnHost() ? engine.download(result) : engine.upload(result);
    }
}
