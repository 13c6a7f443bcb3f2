package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.Operation.Check;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.reference.Deviation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Runs cases from files on one open engine. */
public final class ConformanceRunner {
    private final AttentionEngine engine;
    private final String plan;

    /**
     * For an engine that is open, and stays so.
     *
     * @param plan the plan that it was opened with, {@link EngineOptions#AUTO} for any
     */
    public ConformanceRunner(AttentionEngine engine, String plan) {
        this.engine = Objects.requireNonNull(engine, "engine");
        this.plan = Objects.requireNonNull(plan, "plan");
    }

    /**
     * Runs a case of any op and compares every output that it has; an op that this version does not know is skipped.
     *
     * <p>What the engine throws is a failure, with one exception: an engine that was opened with one plan may say by
     * {@link UnsupportedPlanException} that the plan cannot do a call. What could then not be checked is in the
     * outcome's detail; the case is skipped if nothing could.
     */
    public Outcome run(ConformanceCase conformanceCase) {
        Tally tally = new Tally();
        Operation operation = Operation.KNOWN.get(conformanceCase.op());
        if (operation == null) {
            tally.unchecked.add(
                    "op " + FileFormatException.printable(conformanceCase.op()) + " is not known to this version");
        }
        try {
            for (Check check : operation == null ? List.<Check>of() : operation.checks(conformanceCase)) {
                run(check, tally);
            }
        } catch (FileFormatException e) {
            tally.failures.add(e.getMessage());
        } catch (RuntimeException e) {
            tally.failures.add(Outcome.describe(e));
        }
        return tally.outcome(FileFormatException.printable(conformanceCase.name()));
    }

    private void run(Check check, Tally tally) {
        try (Computed computed = check.call().on(engine)) {
            tally.plans.add(computed.plan());
            check.expected().forEach((name, expected) -> tally.compare(name, computed.outputs(), expected));
        } catch (UnsupportedPlanException e) {
            if (plan.equals(EngineOptions.AUTO)) {
                tally.failures.add(Outcome.describe(e));
            } else {
                tally.unchecked.add(check.what() + " not checked: " + e.getMessage());
            }
        } catch (RuntimeException e) {
            tally.failures.add(Outcome.describe(e));
        }
    }

    /** What the calls of one case gave, together. */
    private final class Tally {
        private final Set<String> plans = new LinkedHashSet<>();
        private final Set<String> failures = new LinkedHashSet<>();
        private final List<String> unchecked = new ArrayList<>();
        private double maxError = Double.NaN;

        /** Compares one output with what is wanted. */
        void compare(String output, Map<String, Tensor> outputs, Expected expected) {
            Tensor got = outputs.get(output);
            Tensor want = expected.want();
            if (got.dtype() != expected.dtype()) {
                failures.add(output + ": got type " + got.dtype() + ", want " + expected.dtype());
            } else if (!Arrays.equals(got.shape(), want.shape())) {
                failures.add(output + ": got shape " + Arrays.toString(got.shape()) + ", want "
                        + Arrays.toString(want.shape()));
            } else {
                compareElements(output, got, want, expected.tolerance());
            }
        }

        private void compareElements(String output, Tensor got, Tensor want, Tolerance tolerance) {
            double[] gotElements = got.toDoubleArray();
            double[] wantElements = want.toDoubleArray();
            double largest = 0;
            int wrong = 0;
            int worst = -1;
            double worstExcess = -1;
            for (int n = 0; n < gotElements.length; n++) {
                double error = error(gotElements[n], wantElements[n]);
                largest = Math.max(largest, error);
                if (tolerance.allows(gotElements[n], wantElements[n])) {
                    continue;
                }
                wrong++;
                double excess = error / tolerance.limit(Double.isFinite(wantElements[n]) ? wantElements[n] : 0);
                if (excess > worstExcess) {
                    worstExcess = excess;
                    worst = n;
                }
            }
            if (!(maxError >= largest)) {
                maxError = largest;
            }
            if (wrong > 0) {
                failures.add(String.format(
                        Locale.ROOT,
                        "%s: %d of %d elements wrong, worst at %s: got %s, want %s (allowed: %s + %s * |want|)",
                        output,
                        wrong,
                        gotElements.length,
                        Arrays.toString(Deviation.index(worst, got.shape())),
                        shown(gotElements[worst], got),
                        shown(wantElements[worst], want),
                        tolerance.absolute(),
                        tolerance.relative()));
            }
        }

        Outcome outcome(String name) {
            Status status = !failures.isEmpty() ? Status.FAILED : plans.isEmpty() ? Status.SKIPPED : Status.PASSED;
            List<String> details = new ArrayList<>(failures);
            details.addAll(unchecked);
            String usedPlan = plans.isEmpty() ? plan : String.join("+", plans);
            return Outcome.ofFile(name, engine.info().id(), usedPlan, status, maxError, String.join("; ", details));
        }
    }

    private static double error(double got, double want) {
        if (Double.isFinite(got) && Double.isFinite(want)) {
            return Math.abs(got - want);
        }
        return Double.compare(got, want) == 0 ? 0 : Double.POSITIVE_INFINITY;
    }

    private static String shown(double element, Tensor tensor) {
        return tensor.dtype().bytes() == Double.BYTES ? Double.toString(element) : Float.toString((float) element);
    }
}
