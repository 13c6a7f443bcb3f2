package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.conformance.suite.HtmlReport;
import dev.attention4j.conformance.suite.JunitReport;
import dev.attention4j.conformance.suite.Matrix;
import dev.attention4j.conformance.suite.Report;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What {@code conformance} found: on the screen, and in files. */
final class ConformanceText {
    /** The most columns of a matrix side by side; a screen holds no more. */
    private static final int COLUMNS = 7;

    private ConformanceText() {}

    /** Prints all but the failures, which were printed as they came. */
    static void print(Report report, boolean withMatrix, PrintWriter out) {
        if (withMatrix) {
            out.println();
            out.println("The largest error in units of the yardstick: error / error of plain float code.");
            out.println("Right is up to 2; ok: right, and nothing to measure; -: nothing was run.");
            for (EngineInfo engine : report.engines()) {
                out.println(engine.id() + ": " + engine.name() + " (driver " + engine.driver() + ")");
            }
            Matrix matrix = Matrix.of(report.outcomes());
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
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("id", engine.id());
            entry.put("name", engine.name());
            entry.put("vendor", engine.vendor());
            entry.put("driver", engine.driver());
            entry.put("facts", engine.facts());
            engines.add(entry);
        }
        List<Object> outcomes = new ArrayList<>();
        for (Outcome outcome : report.outcomes()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("case", outcome.caseName());
            entry.put("feature", outcome.feature());
            entry.put("engine", outcome.engine());
            entry.put("plan", outcome.plan());
            entry.put("status", outcome.status());
            entry.put("max_error", outcome.error());
            entry.put("units", outcome.units());
            entry.put("detail", outcome.detail());
            entry.put("seconds", outcome.seconds());
            entry.put("reproduce", outcome.reproduce());
            outcomes.add(entry);
        }
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("title", report.title());
        all.put("stopped", isStopped);
        all.put("passed", report.count(Status.PASSED));
        all.put("failed", report.failures().size());
        all.put("skipped", report.count(Status.SKIPPED));
        all.put("engines", engines);
        all.put("outcomes", outcomes);
        return all;
    }
}
