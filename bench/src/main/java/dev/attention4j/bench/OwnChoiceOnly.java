package dev.attention4j.bench;

import java.util.Optional;

/** A plan of an engine, timed only where the engine would take it by itself. */
final class OwnChoiceOnly implements Contender {
    private final Contender plan;

    OwnChoiceOnly(Contender plan) {
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
    public Optional<String> refusal(Inputs inputs) {
        return plan.isOwnChoice(inputs) ? plan.refusal(inputs) : Optional.of("the engine takes another plan");
    }

    @Override
    public boolean isOwnChoice(Inputs inputs) {
        return plan.isOwnChoice(inputs);
    }

    @Override
    public Call prepare(Inputs inputs) {
        return plan.prepare(inputs);
    }

    @Override
    public void close() {
        plan.close();
    }
}
