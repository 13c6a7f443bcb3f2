package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The outcomes of a run, with title, date, version of the library and the engines that were run. */
public record Report(String title, Instant date, String version, List<EngineInfo> engines, List<Outcome> outcomes) {
    /** Copies the lists. */
    public Report {
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(date, "date");
        Objects.requireNonNull(version, "version");
        engines = List.copyOf(engines);
        outcomes = List.copyOf(outcomes);
    }

    /** Counts the outcomes of a status. */
    public long count(Outcome.Status status) {
        return outcomes.stream().filter(outcome -> outcome.status() == status).count();
    }

    /** Those in which something is wrong; failed, crashed or hung, in order. */
    public List<Outcome> failures() {
        return outcomes.stream().filter(outcome -> outcome.status().isFailure()).toList();
    }

    /** Why cases of a plan went so: their number and the detail of the first. */
    public record Reason(String engine, String plan, int count, String detail) {
        private static final String ALIKE = " (and alike)";

        private Reason and(Reason more) {
            boolean same = detail.equals(more.detail) || detail.endsWith(ALIKE);
            return new Reason(engine, plan, count + 1, same ? detail : detail + ALIKE);
        }

        @Override
        public String toString() {
            return engine + " " + plan + ": " + detail;
        }
    }

    /**
     * The reasons why cases went so, as far as they were given; those that differ in numbers alone count as one; in
     * order.
     */
    public List<Reason> reasons(Outcome.Status status) {
        Map<List<String>, Reason> reasons = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            if (outcome.status() == status && !outcome.detail().isEmpty()) {
                Reason one = new Reason(outcome.engine(), outcome.plan(), 1, outcome.detail());
                reasons.merge(
                        List.of(one.engine, one.plan, one.detail.replaceAll("\\d[\\d,]*", "")),
                        one,
                        (first, more) -> first.and(more));
            }
        }
        return List.copyOf(reasons.values());
    }

    /** Returns whether something was checked and all of it was right; false too where every case was left out. */
    public boolean succeeded() {
        return failures().isEmpty() && count(Outcome.Status.PASSED) > 0;
    }
}
