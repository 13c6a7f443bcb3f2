package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.PlanChoice;
import java.util.Optional;

/** An engine of this project with one of its plans. */
abstract class EngineWithPlan<W extends Workload> implements Contender<W> {
    private static final String HOST = "host";

    private final AttentionEngine engine;
    private final String plan;
    /** The same engine, left to itself. */
    private final AttentionEngine chooser;

    private final boolean onlyWhereChosen;

    /**
     * Opens the engine.
     *
     * @param onlyWhereChosen whether the plan is timed only where the engine would take it by itself
     */
    EngineWithPlan(EngineInfo info, String plan, boolean onlyWhereChosen) {
        this.plan = plan;
        this.onlyWhereChosen = onlyWhereChosen;
        chooser = Engines.open(info.id(), EngineOptions.DEFAULT);
        try {
            engine = Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(plan));
        } catch (RuntimeException e) {
            chooser.close();
            throw e;
        }
    }

    final AttentionEngine engine() {
        return engine;
    }

    @Override
    public final String name() {
        return engine.info().id();
    }

    @Override
    public final String plan() {
        return plan;
    }

    @Override
    public final boolean isPeer() {
        return false;
    }

    @Override
    public Optional<String> refusal(W inputs) {
        if (onlyWhereChosen && !isOwnChoice(inputs)) {
            return Optional.of("the engine takes another plan");
        }
        // What else it cannot do the engine says itself, by an UnsupportedPlanException, when it is called.
        return plan.equals(HOST) && !isOwnChoice(inputs)
                ? Optional.of("made for tiny problems, by the code of the engine cpu")
                : Optional.empty();
    }

    /** The attention that it is about. */
    abstract AttentionProblem problem(W inputs);

    /** The choice of the engine that is left to itself. */
    PlanChoice choice(AttentionEngine free, W inputs) {
        return free.explain(problem(inputs));
    }

    @Override
    public final boolean isOwnChoice(W inputs) {
        return chooser.plans().size() == 1 || choice(chooser, inputs).plan().equals(plan);
    }

    /** Returns whether an engine that is left to itself takes a plan. */
    static boolean takes(AttentionEngine chooser, String plan, AttentionProblem problem) {
        return chooser.plans().size() == 1 || chooser.explain(problem).plan().equals(plan);
    }

    @Override
    public final void close() {
        engine.close();
        chooser.close();
    }
}
