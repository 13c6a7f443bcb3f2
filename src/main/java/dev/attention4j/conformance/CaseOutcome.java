package dev.attention4j.conformance;

import java.util.Objects;

/**
 * How one case went on one engine.
 *
 * @param caseName the case's own name, or the file's where it could not be read
 * @param engine the engine's id, as in {@link dev.attention4j.EngineInfo#id()}
 * @param plan the plan that computed it, several joined by {@code +}; the one asked for where nothing was computed
 * @param status passed, failed or skipped
 * @param maxError the largest |got − want| over all outputs; infinite where one is NaN or infinite and the other is
 *     not; NaN where nothing was compared
 * @param detail of a failure: which output, where, got and want, or what was thrown; of a skip: why; of a pass: what
 *     could not be checked, mostly empty
 */
public record CaseOutcome(String caseName, String engine, String plan, Status status, double maxError, String detail) {
    /** How it went. */
    public enum Status {
        /** Every output that was compared is within the tolerance. */
        PASSED,
        /** An output is wrong, or something was thrown. */
        FAILED,
        /** Nothing was compared. */
        SKIPPED
    }

    /** Refuses null. */
    public CaseOutcome {
        Objects.requireNonNull(caseName, "caseName");
        Objects.requireNonNull(engine, "engine");
        Objects.requireNonNull(plan, "plan");
        Objects.requireNonNull(status, "status");
        Objects.requireNonNull(detail, "detail");
    }

    /**
     * One line: status, case, engine, plan, error and detail.
     *
     * @return for people
     */
    @Override
    public String toString() {
        return status + " " + caseName + " on " + engine + " (" + plan + ")"
                + (Double.isNaN(maxError) ? "" : ", max error " + maxError)
                + (detail.isEmpty() ? "" : ": " + detail);
    }
}
