package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import java.util.Optional;

/** An engine of this project with one plan: the library call, host tensors in, host tensor out. */
public final class EngineContender implements Contender<Inputs> {
    private final AttentionEngine engine;
    private final String plan;
    private final AttentionEngine chooser;

    private EngineContender(AttentionEngine engine, String plan, AttentionEngine chooser) {
        this.engine = engine;
        this.plan = plan;
        this.chooser = chooser;
    }

    /**
     * Opens an engine.
     *
     * @param info which
     * @param plan one of its plans
     * @return to be closed by the caller
     * @throws IllegalArgumentException if the engine has no such plan
     */
    public static EngineContender open(EngineInfo info, String plan) {
        AttentionEngine chooser = Engines.open(info.id(), EngineOptions.DEFAULT);
        try {
            return new EngineContender(Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(plan)), plan, chooser);
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
    public Optional<String> refusal(Inputs inputs) {
        // The engine says it itself, by an UnsupportedPlanException, when it is called.
        return Optional.empty();
    }

    @Override
    public boolean isOwnChoice(Inputs inputs) {
        return takes(chooser, plan, inputs.problem());
    }

    /** Whether an engine that is left to itself takes a plan. */
    static boolean takes(AttentionEngine chooser, String plan, AttentionProblem problem) {
        // An explanation begins with the plan's name.
        return chooser.plans().size() == 1
                || chooser.explain(problem).split("[\\s:]", 2)[0].equals(plan);
    }

    @Override
    public Call prepare(Inputs inputs) {
        return new EngineCall(engine, inputs);
    }

    @Override
    public void close() {
        engine.close();
        chooser.close();
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
