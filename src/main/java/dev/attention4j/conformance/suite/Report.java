package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import java.util.List;
import java.util.Objects;

/**
 * What a run found, for the writers of files.
 *
 * @param title what was run, one line
 * @param version of the library
 * @param engines those that were run, with their facts
 * @param outcomes all, in order
 */
public record Report(String title, String version, List<EngineInfo> engines, List<Outcome> outcomes) {
    /** Copies the lists. */
    public Report {
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(version, "version");
        engines = List.copyOf(engines);
        outcomes = List.copyOf(outcomes);
    }

    /**
     * Those that went so.
     *
     * @param status how
     * @return how many
     */
    public long count(Outcome.Status status) {
        return outcomes.stream().filter(outcome -> outcome.status() == status).count();
    }

    /**
     * Those in which something is wrong.
     *
     * @return failed, crashed or hung, in order
     */
    public List<Outcome> failures() {
        return outcomes.stream().filter(outcome -> outcome.status().isFailure()).toList();
    }

    /**
     * Whether something was checked and all of it was right.
     *
     * @return false too where every case was left out
     */
    public boolean succeeded() {
        return failures().isEmpty() && count(Outcome.Status.PASSED) > 0;
    }
}
