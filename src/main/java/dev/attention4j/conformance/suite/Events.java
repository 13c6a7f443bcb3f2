package dev.attention4j.conformance.suite;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a child JVM tells its parent: a marked line of JSON for each event; the rest that is printed is a driver's. */
final class Events {
    private static final String MARK = "attention4j-event ";

    /** What is told. */
    interface Event {}

    /** The engine is there, and so many trials (cases by plans) are ahead, from the first one on. */
    record Ready(List<String> plans, int trials) implements Event {}

    /** A trial begins. */
    record Begun(int trial, String caseName, String plan) implements Event {}

    /** A trial has ended. */
    record Ended(int trial, Outcome outcome) implements Event {}

    /** All is done. */
    record Done() implements Event {}

    private final PrintStream out;

    Events(PrintStream out) {
        this.out = out;
    }

    void ready(List<String> plans, int trials) {
        print(Map.of("event", "ready", "plans", plans, "trials", trials));
    }

    void begin(int trial, String caseName, String plan) {
        print(Map.of("event", "begun", "trial", trial, "case", caseName, "plan", plan));
    }

    void end(int trial, Outcome outcome) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("event", "ended");
        fields.put("trial", trial);
        fields.put("case", outcome.caseName());
        fields.put("engine", outcome.engine());
        fields.put("plan", outcome.plan());
        fields.put("status", outcome.status().name());
        // As text: JSON has neither NaN nor infinities.
        fields.put("error", Double.toString(outcome.error()));
        fields.put("units", Double.toString(outcome.units()));
        fields.put("detail", outcome.detail());
        fields.put("seconds", Double.toString(outcome.seconds()));
        print(fields);
    }

    void done() {
        print(Map.of("event", "done"));
    }

    private void print(Map<String, Object> fields) {
        try {
            // A driver may have left a line of its own unfinished.
            out.print("\n" + MARK + JSON.std.asString(fields) + "\n");
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The event of a line; empty if the line is no event. */
    static Optional<Event> parse(String line) throws IOException {
        if (!line.startsWith(MARK)) {
            return Optional.empty();
        }
        Map<String, Object> fields = JSON.std.mapFrom(line.substring(MARK.length()));
        return Optional.of(
                switch (text(fields, "event")) {
                    case "ready" ->
                        new Ready(
                                ((List<?>) fields.get("plans"))
                                        .stream().map(String::valueOf).toList(),
                                (Integer) fields.get("trials"));
                    case "begun" ->
                        new Begun((Integer) fields.get("trial"), text(fields, "case"), text(fields, "plan"));
                    case "ended" -> new Ended((Integer) fields.get("trial"), outcome(fields));
                    case "done" -> new Done();
                    default -> throw new IOException("event " + fields.get("event") + " is not known");
                });
    }

    private static Outcome outcome(Map<String, Object> fields) {
        return Outcome.of(
                text(fields, "case"),
                text(fields, "engine"),
                text(fields, "plan"),
                Status.valueOf(text(fields, "status")),
                Double.parseDouble(text(fields, "error")),
                Double.parseDouble(text(fields, "units")),
                text(fields, "detail"),
                Double.parseDouble(text(fields, "seconds")));
    }

    private static String text(Map<String, Object> fields, String name) {
        return String.valueOf(fields.get(name));
    }
}
