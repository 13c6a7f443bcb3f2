package dev.attention4j.bench;

import java.util.Optional;

/** A plan of an engine, timed only where the engine would take it by itself. */
final class OwnChoiceOnly<W extends Workload> implements Contender<W> {
    private final Contender<W> plan;

    OwnChoiceOnly(Contender<W> plan) {
        this.plan = plan;
    }

    @Override
    public String name() {
        return plan.name();
    }

    @Override
    public String plan() {
        return plan.plan();
    }

    @Override
    public boolean isPeer() {
        return plan.isPeer();
    }

    @Override
    public Optional<String> refusal(W inputs) {
        return plan.isOwnChoice(inputs) ? plan.refusal(inputs) : Optional.of("the engine takes another plan");
    }

    @Override
    public boolean isOwnChoice(W inputs) {
        return plan.isOwnChoice(inputs);
    }

    @Override
    public Call prepare(W inputs) {
        return plan.prepare(inputs);
    }

    @Override
    public void close() {
        plan.close();
    }
}
