package dev.attention4j.bench;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.measure.LayerShape;

/** This project's layer on an engine with one plan: host tensor in, host tensor out. */
final class LayerContender extends EngineWithPlan<LayerInputs> {
    /** Opens an engine with one of its plans. */
    LayerContender(EngineInfo info, String plan, boolean onlyWhereChosen) {
        super(info, plan, onlyWhereChosen);
    }

    @Override
    AttentionProblem problem(LayerInputs inputs) {
        LayerShape shape = inputs.shape();
        return new AttentionProblem(
                shape.batch(),
                shape.heads(),
                shape.heads(),
                shape.length(),
                shape.length(),
                shape.headDim(),
                shape.headDim(),
                inputs.dtype(),
                Attention.DEFAULT);
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        LayerShape shape = inputs.shape();
        MultiHeadAttention layer = MultiHeadAttention.builder()
                .heads(shape.heads())
                .keyDim(shape.headDim())
                .build(engine());
        layer.load(inputs.layerWeights());
        return new TensorCall(() -> layer.call(inputs.input(), inputs.input()), layer::close);
    }
}
