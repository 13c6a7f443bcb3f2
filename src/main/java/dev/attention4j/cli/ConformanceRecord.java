package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.conformance.suite.ConformanceRun;
import dev.attention4j.conformance.suite.HtmlReport;
import dev.attention4j.conformance.suite.JunitReport;
import dev.attention4j.conformance.suite.Matrix;
import dev.attention4j.conformance.suite.Report;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Outcomes as they come in: a bar while they do, a line for each failure at once where there is no bar, else after it. May be
 * reported by another thread while more come.
 */
final class ConformanceRecord implements ConformanceRun.Listener, AutoCloseable {
    /** The most columns of a matrix side by side; a screen holds no more. */
    private static final int COLUMNS = 7;

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

    @Override
    public synchronized void begin(EngineInfo engine, List<String> itsPlans, int trials) {
        begun++;
        itsPlans.forEach(plan -> plans.add(engine.id() + " " + plan));
        expected += trials;
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
            out.println(oneLine(failure.toString()));
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
                title + (isStopped ? ", stopped before its end" : ""),
                Instant.now(),
                Main.versionNumber(),
                run,
                outcomes);
    }

    @Override
    public synchronized void close() {
        progress.close();
        printFailures();
    }

    /** Prints all but the failures, which were printed as they came. */
    static void print(Report report, boolean withMatrix, PrintWriter out) {
        if (withMatrix) {
            out.println();
            out.println("The largest error in units of the yardstick: error / error of plain float code.");
            out.println("Right is up to 2; ok: right, and nothing to measure; -: nothing was run.");
            for (EngineInfo engine : report.engines()) {
                out.println(engine.id() + ": " + engine.name() + " (driver " + engine.driver() + ")");
            }
            Matrix matrix = new Matrix(report.outcomes());
            for (int from = 0; from < matrix.columns().size(); from += COLUMNS) {
                int to = Math.min(matrix.columns().size(), from + COLUMNS);
                out.println();
                out.println(table(matrix, matrix.columns().subList(from, to)));
            }
            out.println();
        }
        summary(report, Status.SKIPPED, "skipped", out);
        summary(report, Status.PASSED, "passed in part", out);
    }

    private static String table(Matrix matrix, List<Matrix.Column> columns) {
        List<String> headings = new ArrayList<>(List.of("feature"));
        columns.forEach(column -> headings.add(column.engine() + " " + column.plan()));
        Table table = new Table(headings.toArray(String[]::new));
        for (String feature : matrix.features()) {
            List<String> cells = new ArrayList<>(List.of(feature));
            columns.forEach(column -> cells.add(matrix.cell(feature, column).toString()));
            table.row(cells.toArray(String[]::new));
        }
        return table.text(Text.WIDTH);
    }

    /** One line for each reason. */
    private static void summary(Report report, Status status, String called, PrintWriter out) {
        report.reasons(status).forEach(reason -> out.println(oneLine(reason.count() + " " + called + " on " + reason)));
    }

    /** Messages of drivers have lines. */
    static String oneLine(String text) {
        return text.replaceAll("\\R\\s*", " ");
    }

    static String totals(Report report) {
        return report.count(Status.PASSED) + " passed, " + report.failures().size() + " failed";
    }

    /** Writes each file whose name is not null. */
    static void write(Report report, Path junit, Path html, PrintWriter out) throws IOException {
        if (junit != null) {
            OutputFile.write(junit, file -> JunitReport.write(report, file));
            out.println("Written to " + junit);
        }
        if (html != null) {
            OutputFile.write(html, file -> HtmlReport.write(report, file));
            out.println("Written to " + html);
        }
    }

    /** All of it, for JSON. */
    static Map<String, Object> all(Report report, boolean isStopped) {
        List<Object> engines = new ArrayList<>();
        for (EngineInfo engine : report.engines()) {
            Map<String, Object> entry = JsonOption.fields(engine);
            entry.put("facts", engine.facts());
            engines.add(entry);
        }
        List<Object> outcomes = new ArrayList<>();
        for (Outcome outcome : report.outcomes()) {
            outcomes.add(JsonOption.fields(
                    "case", outcome.caseName(),
                    "feature", outcome.feature(),
                    "engine", outcome.engine(),
                    "plan", outcome.plan(),
                    "status", outcome.status(),
                    "max_error", outcome.error(),
                    "units", outcome.units(),
                    "detail", outcome.detail(),
                    "seconds", outcome.seconds(),
                    "reproduce", outcome.reproduce()));
        }
        return JsonOption.fields(
                "title", report.title(),
                "stopped", isStopped,
                "passed", report.count(Status.PASSED),
                "failed", report.failures().size(),
                "skipped", report.count(Status.SKIPPED),
                "engines", engines,
                "outcomes", outcomes);
    }
}
