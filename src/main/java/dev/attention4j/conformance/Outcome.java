package dev.attention4j.conformance;

import dev.attention4j.DeviceException;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * The outcome of one case on one engine by one plan.
 *
 * @param feature what it is a case of: a row of the matrix
 * @param plan the plan that computed, several joined by {@code +}, or the one asked for
 * @param error the largest difference from what is right; infinite where one of both is not finite; NaN where nothing was
 *     measured
 * @param units the same in units of the yardstick ({@link dev.attention4j.reference.Deviation#units()}); NaN likewise
 * @param detail of a failure: what is wrong; of a skipped case: why; of a pass: what could not be checked
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
    /** The ways that a case can end. */
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

        /** Returns false where all is right or nothing was run. */
        public boolean isFailure() {
            return this == FAILED || this == CRASHED || this == HUNG;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The feature of a case of the suite: its name up to the slash. */
    public static String feature(String caseName) {
        int slash = caseName.indexOf('/');
        return slash < 0 ? caseName : caseName.substring(0, slash);
    }

    /** The same with another line that runs it again. */
    public Outcome withReproduce(String line) {
        return new Outcome(feature, caseName, engine, plan, status, error, units, detail, seconds, line);
    }

    /** A text as one word of a shell's command line, to be pasted from a terminal. */
    public static String word(String text) {
        if (text.matches("[\\w./:@%+=,-]+")) {
            return text;
        }
        if (text.equals(FileFormatException.printableLines(text))
                && text.lines().count() <= 1
                && !text.contains("\t")) {
            return "'" + text.replace("'", "'\\''") + "'";
        }
        StringBuilder word = new StringBuilder("$'");
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            if (b < ' ' || b == 127) {
                word.append(String.format("\\%03o", b & 0xFF));
            } else {
                word.append(b == '\'' || b == '\\' ? "\\" : "").append((char) b);
            }
        }
        return word.append('\'').toString();
    }

    /** One line for people: status, case, engine, plan and detail. */
    @Override
    public String toString() {
        return status.name() + " " + caseName + " on " + engine + " (" + plan + ")"
                + (detail.isEmpty() ? "" : ": " + detail);
    }

    /** Describes what a case threw: the message alone if it is one that this library makes for its callers, else with its type. */
    public static String describe(Throwable e) {
        String message = e.getMessage();
        if (e instanceof OutOfMemoryError) {
            return "out of memory" + (message == null ? "" : ": " + message);
        }
        boolean isForCallers = e instanceof DeviceException
                || e instanceof IllegalArgumentException
                || e instanceof IllegalStateException
                || e instanceof UnsupportedOperationException
                || e instanceof IOException;
        if (isForCallers && message != null) {
            return message;
        }
        return "internal error " + e.getClass().getSimpleName() + (message == null ? "" : ": " + message);
    }
}
