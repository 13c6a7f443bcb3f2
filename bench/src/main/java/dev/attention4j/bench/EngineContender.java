package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;

/** Attention by an engine of this project with one plan: the library call, host tensors in, host tensor out. */
final class EngineContender extends OwnPlan<Inputs> {
    /** Opens an engine with one of its plans. */
    EngineContender(EngineInfo info, String plan) {
        super(info, plan);
    }

    @Override
    AttentionProblem problem(Inputs inputs) {
        return inputs.problem();
    }

    @Override
    public Call prepare(Inputs inputs) {
        return new EngineCall(engine(), inputs);
    }

    private static final class EngineCall implements Call {
        private final AttentionEngine engine;
        private final Inputs inputs;
        private AttentionResult result;

        EngineCall(AttentionEngine engine, Inputs inputs) {
            this.engine = engine;
            this.inputs = inputs;
        }

        @Override
        public void run() {
            close();
            result = engine.attend(
                    inputs.query(),
                    inputs.key(),
                    inputs.value(),
                    inputs.problem().attention());
        }

        @Override
        public float[] output() {
            return result.output().toFloatArray();
        }

        @Override
        public void close() {
            if (result != null) {
                result.close();
                result = null;
            }
        }
    }
}
