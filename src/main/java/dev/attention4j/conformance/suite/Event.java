package dev.attention4j.conformance.suite;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.conformance.Outcome;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;

/**
 * An event that a child JVM reports to its parent: a marked line of JSON; the rest that is printed is a driver's.
 *
 * @param kind says which of the others there are
 * @param trials how many trials (cases by plans) are ahead, from the first one on
 */
record Event(Kind kind, List<String> plans, int trials, int trial, String caseName, String plan, Outcome outcome) {
    private static final String MARK = "attention4j-event ";

    /** The kinds of events. */
    enum Kind {
        /** The engine is there. */
        READY,
        /** A trial begins. */
        BEGUN,
        /** A trial has ended. */
        ENDED,
        /** All is done. */
        DONE,
        /** The child has closed its output: it is at its end, good or bad. */
        CLOSED
    }

    static Event ready(List<String> plans, int trials) {
        return new Event(Kind.READY, plans, trials, 0, null, null, null);
    }

    static Event begun(int trial, String caseName, String plan) {
        return new Event(Kind.BEGUN, null, 0, trial, caseName, plan, null);
    }

    static Event ended(int trial, Outcome outcome) {
        return new Event(Kind.ENDED, null, 0, trial, null, null, outcome);
    }

    static Event of(Kind kind) {
        return new Event(kind, null, 0, 0, null, null, null);
    }

    void print(PrintStream out) {
        try {
            // A driver may have left a line of its own unfinished.
            out.print("\n" + MARK + JSON.std.asString(this) + "\n");
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The event of a line; empty if the line is no event. */
    static Optional<Event> parse(String line) throws IOException {
        return line.startsWith(MARK)
                ? Optional.of(JSON.std.beanFrom(Event.class, line.substring(MARK.length())))
                : Optional.empty();
    }
}
