package dev.attention4j.bench.training;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import java.util.List;

/** A matrix product with a bias, computed by an engine, whose weights stay there: [1 + inputs, outputs], the bias on top. */
final class Dense implements AutoCloseable {
    private final Projector projector;
    private final int inputs;
    private final int outputs;
    private final Tensor weights;
    /** Of the weights as they are now, or null; the second is the transposed kernel, for the gradient of the input. */
    private Projector.Projection forward;

    private Projector.Projection transposed;

    Dense(AttentionEngine engine, Tensor weights) {
        projector = engine.projector();
        inputs = (int) weights.size(0) - 1;
        outputs = (int) weights.size(1);
        this.weights = engine.upload(weights);
    }

    /** The weights where the engine computes. Call {@link #changed} after a step. */
    Tensor weights() {
        return weights;
    }

    /** Returns [rows, outputs] of an input [rows, inputs]. */
    float[] apply(float... input) {
        if (forward == null) {
            forward = projector.prepare(kernel(), weights.slice(0, 0, 1));
        }
        return project(input, inputs, forward);
    }

    /** Returns the gradient of the input. */
    float[] inputGradient(float... byOutput) {
        if (transposed == null) {
            transposed = projector.prepare(kernel().permute(2, 1, 0), null);
        }
        return project(byOutput, outputs, transposed);
    }

    private Tensor kernel() {
        return weights.slice(0, 1, 1 + inputs).reshape(inputs, 1, outputs);
    }

    private float[] project(float[] input, int width, Projector.Projection projection) {
        Tensor rows = Tensor.of(input, 1, input.length / width, width);
        try (Tensor result = projector.toHeads(rows, List.of(projection)).get(0)) {
            return result.toFloatArray();
        }
    }

    /** Returns the gradient of the weights, where they are. */
    Tensor weightGradient(float[] input, float[] byOutput) {
        long rows = input.length / inputs;
        return projector
                .weightGradients(
                        Tensor.of(input, 1, 1, rows, inputs), null, List.of(Tensor.of(byOutput, 1, 1, rows, outputs)))
                .get(0);
    }

    /** Forgets what was computed of the weights. */
    void changed() {
        if (forward != null) {
            forward.close();
            forward = null;
        }
        if (transposed != null) {
            transposed.close();
            transposed = null;
        }
    }

    @Override
    public void close() {
        changed();
        weights.close();
    }
}
