package dev.attention4j.bench;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import java.util.Optional;

/** This project's layer on an engine with one plan: host tensor in, host tensor out. */
final class LayerContender implements Contender<LayerInputs> {
    private final AttentionEngine engine;
    private final String plan;
    private final AttentionEngine chooser;

    private LayerContender(AttentionEngine engine, String plan, AttentionEngine chooser) {
        this.engine = engine;
        this.plan = plan;
        this.chooser = chooser;
    }

    /** Opens an engine with one of its plans. */
    static LayerContender open(EngineInfo info, String plan) {
        AttentionEngine chooser = Engines.open(info.id(), EngineOptions.DEFAULT);
        try {
            return new LayerContender(Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(plan)), plan, chooser);
        } catch (RuntimeException e) {
            chooser.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return engine.info().id();
    }

    @Override
    public String plan() {
        return plan;
    }

    @Override
    public boolean isPeer() {
        return false;
    }

    @Override
    public Optional<String> refusal(LayerInputs inputs) {
        return Optional.empty();
    }

    @Override
    public boolean isOwnChoice(LayerInputs inputs) {
        LayerShape shape = inputs.shape();
        AttentionProblem problem = new AttentionProblem(
                shape.batch(),
                shape.heads(),
                shape.heads(),
                shape.length(),
                shape.length(),
                shape.headDim(),
                shape.headDim(),
                inputs.dtype(),
                Attention.DEFAULT);
        return EngineContender.takes(chooser, plan, problem);
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        LayerShape shape = inputs.shape();
        MultiHeadAttention layer = MultiHeadAttention.builder()
                .heads(shape.heads())
                .keyDim(shape.headDim())
                .build(engine);
        layer.load(inputs.layerWeights());
        return new LayerCall(layer, inputs.input());
    }

    @Override
    public void close() {
        engine.close();
        chooser.close();
    }

    private static final class LayerCall implements Call {
        private final MultiHeadAttention layer;
        private final Tensor input;
        private Tensor output;

        LayerCall(MultiHeadAttention layer, Tensor input) {
            this.layer = layer;
            this.input = input;
        }

        @Override
        public void run() {
            if (output != null) {
                output.close();
            }
            output = layer.call(input, input);
        }

        @Override
        public float[] output() {
            return output.toFloatArray();
        }

        @Override
        public void close() {
            if (output != null) {
                output.close();
            }
            layer.close();
        }
    }
}
