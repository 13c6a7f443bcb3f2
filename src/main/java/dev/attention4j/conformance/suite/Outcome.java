package dev.attention4j.conformance.suite;

import java.util.Locale;
import java.util.Objects;

/**
 * How one case went on one engine by one plan.
 *
 * @param feature what it is a case of
 * @param caseName its name
 * @param engine the engine's id, as in {@link dev.attention4j.EngineInfo#id()}
 * @param plan the plan that computed, or was to
 * @param status how it went
 * @param error the largest difference from what is right; NaN where nothing was measured, or something is not a number
 * @param units the same in units of the yardstick ({@link dev.attention4j.reference.Deviation#units()}); NaN likewise
 * @param detail of a failure: what is wrong; of a case that was left out: why; else empty
 * @param seconds how long it took
 * @param reproduce the command's arguments that run this alone
 */
public record Outcome(
        String feature,
        String caseName,
        String engine,
        String plan,
        Status status,
        double error,
        double units,
        String detail,
        double seconds,
        String reproduce) {
    /** How a case went. */
    public enum Status {
        /** All is right. */
        PASSED,
        /** Something is wrong, or something was thrown. */
        FAILED,
        /** The JVM ended in it: the driver, most likely. */
        CRASHED,
        /** It did not end in time. */
        HUNG,
        /** It was left out, for a reason. */
        SKIPPED;

        /**
         * Whether something is wrong.
         *
         * @return false where all is right or nothing was run
         */
        public boolean isFailure() {
            return this == FAILED || this == CRASHED || this == HUNG;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Refuses null. */
    public Outcome {
        Objects.requireNonNull(feature, "feature");
        Objects.requireNonNull(caseName, "caseName");
        Objects.requireNonNull(engine, "engine");
        Objects.requireNonNull(plan, "plan");
        Objects.requireNonNull(status, "status");
        Objects.requireNonNull(detail, "detail");
        Objects.requireNonNull(reproduce, "reproduce");
    }

    /** Of a case of the suite. */
    static Outcome of(
            String caseName,
            String engine,
            String plan,
            Status status,
            double error,
            double units,
            String detail,
            double seconds) {
        return new Outcome(
                SuiteCase.feature(caseName),
                caseName,
                engine,
                plan,
                status,
                error,
                units,
                detail,
                seconds,
                "conformance --case " + caseName + " --device " + engine + " --plan " + plan);
    }

    /**
     * The same with another line that runs it again.
     *
     * @param line for a shell
     * @return a copy
     */
    public Outcome withReproduce(String line) {
        return new Outcome(feature, caseName, engine, plan, status, error, units, detail, seconds, line);
    }

    /**
     * One line: status, case, engine, plan and detail.
     *
     * @return for people
     */
    @Override
    public String toString() {
        return status.name() + " " + caseName + " on " + engine + " (" + plan + ")"
                + (detail.isEmpty() ? "" : ": " + detail);
    }
}
