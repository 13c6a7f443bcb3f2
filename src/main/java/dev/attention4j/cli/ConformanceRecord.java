package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.suite.Report;
import dev.attention4j.conformance.suite.SuiteRun;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * Outcomes as they come in: a bar while they do, a line for each failure at once where there is no bar, else after it. May be
 * reported by another thread while more come.
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
    synchronized void expect(long more) {
        expected += more;
        progress.max(expected);
    }

    @Override
    public synchronized void begin(EngineInfo engine, List<String> itsPlans, int trials) {
        begun++;
        itsPlans.forEach(plan -> plans.add(engine.id() + " " + plan));
        expect(trials);
        // An estimate: the engines to come have about as many.
        progress.max(expected + (long) trials * (engines.size() - begun));
        progress.say(engine.id());
    }

    @Override
    public synchronized void end(Outcome ended) {
        Outcome outcome = ended.withReproduce(Text.program() + " " + ended.reproduce());
        outcomes.add(outcome);
        if (outcome.status().isFailure()) {
            failures++;
            waiting.add(outcome);
        }
        if (failures > 0) {
            progress.say(outcome.engine() + ", " + failures + " failed");
        }
        progress.step();
        // A line would break the bar; without a bar no reader should wait for it.
        if (!progress.isShown()) {
            printFailures();
        }
    }

    private void printFailures() {
        for (Outcome failure : waiting) {
            out.println(ConformanceText.oneLine(failure.toString()));
            out.println("  to run it again: " + failure.reproduce());
        }
        waiting.clear();
    }

    /** Engine and plan of all that were run. */
    synchronized List<String> plans() {
        return List.copyOf(plans);
    }

    /** All that has come so far. */
    synchronized Report report(boolean isStopped) {
        List<EngineInfo> run = engines.stream()
                .filter(engine ->
                        outcomes.stream().anyMatch(outcome -> outcome.engine().equals(engine.id())))
                .toList();
        return new Report(
                title + (isStopped ? ", stopped before its end" : ""), Instant.now(), Version.number(), run, outcomes);
    }

    @Override
    public synchronized void close() {
        progress.close();
        printFailures();
    }
}
