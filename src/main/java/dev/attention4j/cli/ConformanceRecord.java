package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.suite.Outcome;
import dev.attention4j.conformance.suite.Report;
import dev.attention4j.conformance.suite.SuiteRun;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * Outcomes as they come in: a bar while they do, a line for each failure at once where there is no bar, else after it.
 */
final class ConformanceRecord implements SuiteRun.Listener, AutoCloseable {
    private final String title;
    private final List<EngineInfo> engines;
    private final PrintWriter out;
    private final List<Outcome> outcomes = new ArrayList<>();
    private final List<String> plans = new ArrayList<>();
    private final List<Outcome> waiting = new ArrayList<>();
    private final Progress progress = Progress.start("conformance", 0);
    private int begun;
    private long expected;
    private int failures;

    ConformanceRecord(String title, List<EngineInfo> engines, PrintWriter out) {
        this.title = title;
        this.engines = engines;
        this.out = out;
    }

    /** So many outcomes more will come. */
    void expect(long more) {
        expected += more;
        progress.max(expected);
    }

    @Override
    public void begin(EngineInfo engine, List<String> itsPlans, int trials) {
        begun++;
        itsPlans.forEach(plan -> plans.add(engine.id() + " " + plan));
        expect(trials);
        // The engines to come have about as many, as far as anyone knows.
        progress.max(expected + (long) trials * (engines.size() - begun));
        progress.say(engine.id());
    }

    @Override
    public void end(Outcome outcome) {
        outcomes.add(outcome);
        if (outcome.status().isFailure()) {
            failures++;
            waiting.add(outcome);
        }
        if (failures > 0) {
            progress.say(outcome.engine() + ", " + failures + " failed");
        }
        progress.step();
        // A line would tear the bar; without a bar nobody should wait for it.
        if (!progress.isShown()) {
            printFailures();
        }
    }

    private void printFailures() {
        for (Outcome failure : waiting) {
            out.println(failure.toString().replaceAll("\\R\\s*", " "));
            out.println("  again: " + failure.reproduce());
        }
        waiting.clear();
    }

    /** Engine and plan of all that were run. */
    List<String> plans() {
        return plans;
    }

    Report report(String version) {
        List<EngineInfo> run = engines.stream()
                .filter(engine ->
                        outcomes.stream().anyMatch(outcome -> outcome.engine().equals(engine.id())))
                .toList();
        return new Report(title, version, run, outcomes);
    }

    @Override
    public void close() {
        progress.close();
        printFailures();
    }
}
