package dev.attention4j.conformance.suite;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.measure.AttentionShape;
import java.util.ArrayList;
import java.util.List;

/** Collects cases that are one problem of which all results are asked for; plans that cannot return weights return the rest. */
final class CaseList {
    private final List<SuiteCase> cases = new ArrayList<>();

    /** All that were added, in order. */
    List<SuiteCase> all() {
        return List.copyOf(cases);
    }

    void add(SuiteCase one) {
        cases.add(one);
    }

    void add(String name, AttentionBuilder attention) {
        add(name, ProblemCases.SMALL, attention);
    }

    void add(String name, AttentionShape shape, AttentionBuilder attention) {
        add(name, DType.FLOAT32, shape, attention);
    }

    void add(String name, DType dtype, AttentionShape shape, AttentionBuilder attention) {
        add(ProblemCases.of(
                name,
                shape.problem(dtype, attention.logSumExp(true).weights(true).build())));
    }
}
