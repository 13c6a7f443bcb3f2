package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.CaseOutcome.Status;
import dev.attention4j.conformance.Operation.Check;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** Runs cases on one open engine. */
public final class ConformanceRunner {
    private final AttentionEngine engine;
    private final String plan;

    /**
     * For an engine that is open, and stays so.
     *
     * @param engine where to compute
     * @param plan the plan that it was opened with, {@link EngineOptions#AUTO} for any
     */
    public ConformanceRunner(AttentionEngine engine, String plan) {
        this.engine = Objects.requireNonNull(engine, "engine");
        this.plan = Objects.requireNonNull(plan, "plan");
    }

    /**
     * Runs a case and compares every output that it has.
     *
     * <p>What the engine throws is a failure, with one exception: an engine that was opened with one plan may say by
     * {@link UnsupportedPlanException} that the plan cannot do a call. What could then not be checked is in the
     * outcome's detail; the case is skipped if nothing could.
     *
     * @param conformanceCase of any op; one that this version does not know is skipped
     * @return how it went; nothing is thrown for a case or an engine that is wrong
     */
    public CaseOutcome run(ConformanceCase conformanceCase) {
        String name = FileFormatException.printable(conformanceCase.name());
        Optional<Operation> operation = Operation.find(conformanceCase.op());
        if (operation.isEmpty()) {
            return new CaseOutcome(
                    name,
                    engine.info().id(),
                    plan,
                    Status.SKIPPED,
                    Double.NaN,
                    "op " + FileFormatException.printable(conformanceCase.op()) + " is not known to this version");
        }
        Tally tally = new Tally();
        try {
            for (Check check : operation.get().checks(conformanceCase)) {
                run(check, tally);
            }
        } catch (FileFormatException e) {
            tally.failures.add(e.getMessage());
        } catch (RuntimeException e) {
            tally.failures.add(Thrown.text(e));
        }
        return tally.outcome(name);
    }

    private void run(Check check, Tally tally) {
        try (Computed computed = check.call().on(engine)) {
            tally.plans.add(computed.plan());
            for (Map.Entry<String, Expected> expected : check.expected().entrySet()) {
                Tensor got = computed.outputs().get(expected.getKey());
                tally.add(Comparison.of(expected.getKey(), got, expected.getValue()));
            }
        } catch (UnsupportedPlanException e) {
            if (plan.equals(EngineOptions.AUTO)) {
                tally.failures.add(Thrown.text(e));
            } else {
                tally.unchecked.add(check.what() + " not checked: " + e.getMessage());
            }
        } catch (RuntimeException e) {
            tally.failures.add(Thrown.text(e));
        }
    }

    /** What the calls of one case gave, together. */
    private final class Tally {
        private final Set<String> plans = new LinkedHashSet<>();
        private final List<String> failures = new ArrayList<>();
        private final List<String> unchecked = new ArrayList<>();
        private double maxError = Double.NaN;

        void add(Comparison comparison) {
            if (!comparison.passed()) {
                failures.add(comparison.detail());
            }
            if (Double.isNaN(maxError) || comparison.maxError() > maxError) {
                maxError = comparison.maxError();
            }
        }

        CaseOutcome outcome(String name) {
            Status status = !failures.isEmpty() ? Status.FAILED : plans.isEmpty() ? Status.SKIPPED : Status.PASSED;
            List<String> details = new ArrayList<>(new LinkedHashSet<>(failures));
            details.addAll(unchecked);
            return new CaseOutcome(
                    name,
                    engine.info().id(),
                    plans.isEmpty() ? plan : String.join("+", plans),
                    status,
                    maxError,
                    String.join("; ", details));
        }
    }
}
