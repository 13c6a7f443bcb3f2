package dev.attention4j.conformance;

import dev.attention4j.EngineOptions;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.reference.Deviation;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The findings of a case on an engine, collected call by call; nothing is wrong unless it is added. */
public final class Finding {
    private final Set<String> plans = new LinkedHashSet<>();
    private final Set<String> wrong = new LinkedHashSet<>();
    private final Set<String> refused = new LinkedHashSet<>();
    private final Set<String> unchecked = new LinkedHashSet<>();
    private double error = Double.NaN;
    private double units = Double.NaN;
    private double largest = -1;

    /** Measured results. */
    public static Finding of(List<Deviation> deviations) {
        Finding finding = new Finding();
        for (Deviation one : deviations) {
            finding.measured(one.error(), one.units());
            if (!one.isAllowed()) {
                finding.wrong(one.toString());
            }
        }
        return finding;
    }

    /** Adds an error and its size in units of the yardstick, which may be NaN; the largest counts, and NaN is larger. */
    Finding measured(double oneError, double itsUnits) {
        double size = Double.isNaN(itsUnits) ? oneError : itsUnits;
        if (!Double.isNaN(largest) && !(size <= largest)) {
            largest = size;
            error = oneError;
            units = itsUnits;
        }
        return this;
    }

    /** Adds something that is wrong, in words. */
    public Finding wrong(String what) {
        wrong.add(what);
        return this;
    }

    /** Adds something that is wrong, if there is such a thing. */
    public Finding wrong(Optional<String> what) {
        what.ifPresent(wrong::add);
        return this;
    }

    /** Adds a call that the plan refused, with its reason. */
    public Finding refused(String why) {
        refused.add(why);
        return this;
    }

    /** Adds something that this version cannot check. */
    public Finding unchecked(String why) {
        unchecked.add(why);
        return this;
    }

    /** Adds the plan that computed. */
    Finding by(String plan) {
        plans.add(plan);
        return this;
    }

    /** Adds everything that is wrong by another finding. */
    public Finding and(Finding other) {
        wrong.addAll(other.wrong);
        return this;
    }

    /**
     * Returns how the case went by a plan. A plan that was asked for by name may refuse a call: the case is skipped unless
     * another of its calls was computed.
     */
    public Status status(String plan) {
        if (!wrong.isEmpty() || (plan.equals(EngineOptions.AUTO) && !refused.isEmpty())) {
            return Status.FAILED;
        }
        return plans.isEmpty() && !(refused.isEmpty() && unchecked.isEmpty()) ? Status.SKIPPED : Status.PASSED;
    }

    /** Everything that is wrong or was not checked, in words; empty if there is no such thing. */
    public String detail() {
        return Stream.of(wrong, refused, unchecked).flatMap(Collection::stream).collect(Collectors.joining("; "));
    }

    /** The plans that computed, joined by {@code +}; the one asked for where the case does not tell. */
    public String plans(String plan) {
        return plans.isEmpty() ? plan : String.join("+", plans);
    }

    /** The largest error; NaN where nothing was measured. */
    public double error() {
        return error;
    }

    /** The same in units of the yardstick. */
    public double units() {
        return units;
    }
}
