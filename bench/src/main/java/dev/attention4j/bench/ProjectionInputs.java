package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.ProjectionShape;

/**
 * A projection and the tensors that every contender gets.
 *
 * @param input [1, rows, inputs]
 * @param weights [inputs, outputs], float32
 * @param bias [outputs], float32
 */
public record ProjectionInputs(ProjectionShape shape, Tensor input, Tensor weights, Tensor bias) implements Workload {
    /** Makes the tensors. */
    public static ProjectionInputs of(ProjectionShape shape, DType dtype) {
        return new ProjectionInputs(
                shape,
                Inputs.normal(1, 1, shape.rows(), shape.inputs()).to(dtype),
                LayerInputs.weights(2, shape.inputs(), shape.outputs()),
                Inputs.normal(3, shape.outputs()));
    }

    @Override
    public DType dtype() {
        return input.dtype();
    }

    @Override
    public ExpectedResult expected() {
        int rows = shape.rows();
        int inputs = shape.inputs();
        int outputs = shape.outputs();
        float[] elements = input.toFloatArray();
        DenseOracle dense = new DenseOracle(weights.toFloatArray(), bias.toFloatArray());
        // As many rows as the oracle does in a few seconds, spread over all.
        int step = (int) Math.max(1, Math.ceil(flops() / ExpectedResult.ORACLE_FLOPS));
        return ExpectedResult.of(
                dtype(),
                rows,
                outputs,
                row -> row % step == 0 || row == rows - 1,
                row -> dense.project(elements, row * inputs, inputs, 0, outputs));
    }
}
