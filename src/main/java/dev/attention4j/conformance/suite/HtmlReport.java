package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.reference.Deviation;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A report as one HTML file for a browser: devices, the matrix, and each failure with the line that reproduces it. It needs
 * no other file, loads nothing and runs no script.
 */
public final class HtmlReport {
    private static final String TEMPLATE = "report.html";

    /** Where in a cell the limit is drawn; the style sheet has the same. */
    private static final double LIMIT_PERCENT = 80;

    private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm 'UTC'", Locale.ROOT);

    private final Report report;
    private final StringBuilder html = new StringBuilder();

    private HtmlReport(Report report) {
        this.report = report;
    }

    /**
     * Writes the page; a file that is there already is replaced.
     *
     * @param report what was found
     * @param file where to
     * @throws IOException if it cannot be written
     */
    public static void write(Report report, Path file) throws IOException {
        HtmlReport page = new HtmlReport(report);
        page.summary();
        page.matrix();
        page.failures();
        page.leftOut();
        page.devices();
        Files.writeString(
                file,
                template()
                        .replace("<!--TITLE-->", escaped(report.title()))
                        .replace("<!--BODY-->", page.html.toString()));
    }

    private void summary() {
        long failed = report.failures().size();
        html.append("<p class=\"verdict ")
                .append(report.succeeded() ? "good" : "bad")
                .append("\">")
                .append(report.count(Outcome.Status.PASSED))
                .append(" passed, ")
                .append(failed)
                .append(" failed</p>\n");
        html.append("<p>attention4j ")
                .append(escaped(report.version()))
                .append(", ")
                .append(report.date().atOffset(ZoneOffset.UTC).format(DATE));
        double seconds =
                report.outcomes().stream().mapToDouble(Outcome::seconds).sum();
        html.append(String.format(Locale.ROOT, ", %.0f s in cases", seconds));
        if (report.count(Outcome.Status.SKIPPED) > 0) {
            html.append(", ").append(report.count(Outcome.Status.SKIPPED)).append(" left out (see below)");
        }
        html.append("</p>\n");
    }

    private void matrix() {
        Matrix matrix = Matrix.of(report.outcomes());
        Map<String, Long> plans = matrix.columns().stream()
                .collect(Collectors.groupingBy(Matrix.Column::engine, LinkedHashMap::new, Collectors.counting()));
        html.append(
                        "<h2>Matrix</h2>\n<p>Each number is the largest error of a row's cases relative to plain float code's error on")
                .append(" the same problems. The limit is ")
                .append((int) Deviation.MOST_UNITS)
                .append("; <em>ok</em> is right where nothing is measured, – is nothing run.</p>\n");
        scale();
        html.append(
                        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"matrix\"><table class=\"matrix\" role=\"table\"")
                .append(" style=\"--columns:")
                .append(matrix.columns().size())
                .append("\">\n<thead role=\"rowgroup\"><tr role=\"row\"><th rowspan=\"2\" scope=\"col\"")
                .append(" role=\"columnheader\">feature</th>");
        plans.forEach((engine, count) -> html.append("<th scope=\"colgroup\" role=\"columnheader\" colspan=\"")
                .append(count)
                .append("\" style=\"--span:")
                .append(count)
                .append("\">")
                .append(escaped(engine))
                .append("<small title=\"")
                .append(escaped(name(engine)))
                .append("\">")
                .append(escaped(name(engine)))
                .append("</small></th>"));
        html.append("</tr>\n<tr role=\"row\">");
        String before = "";
        for (Matrix.Column column : matrix.columns()) {
            html.append("<th scope=\"col\" role=\"columnheader\"")
                    .append(first(column, before))
                    .append('>');
            html.append(escaped(column.plan())).append("</th>");
            before = column.engine();
        }
        html.append("</tr></thead>\n<tbody role=\"rowgroup\">\n");
        for (String feature : matrix.features()) {
            html.append("<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">")
                    .append(escaped(feature));
            if (!FeatureWords.of(feature).isEmpty()) {
                html.append(" <small>")
                        .append(escaped(FeatureWords.of(feature)))
                        .append("</small>");
            }
            html.append("</th>");
            before = "";
            for (Matrix.Column column : matrix.columns()) {
                cell(matrix.cell(feature, column), first(column, before));
                before = column.engine();
            }
            html.append("</tr>\n");
        }
        html.append("</tbody></table></div>\n");
    }

    /** Shows how long the bars of cells are: for readers, what 1 and the limit mean. */
    private void scale() {
        html.append(String.format(
                Locale.ROOT,
                "<div class=\"scale\"><div class=\"bar\" style=\"--used:%s\"></div><span>0</span>"
                        + "<span style=\"left:%s\">1: as plain float code</span>"
                        + "<span style=\"left:%s\">%d: the limit</span></div>\n",
                used(1),
                used(1),
                used(Deviation.MOST_UNITS),
                (int) Deviation.MOST_UNITS));
    }

    /** The length of a bar in its cell, in which the limit stands at four fifths. */
    private static String used(double units) {
        return String.format(Locale.ROOT, "%.0f%%", Math.min(100, LIMIT_PERCENT * units / Deviation.MOST_UNITS));
    }

    /** For those who do not know engines by their ids. */
    private String name(String engine) {
        return report.engines().stream()
                .filter(info -> info.id().equals(engine))
                .map(EngineInfo::name)
                .findFirst()
                .orElse("");
    }

    /** A line parts engines. */
    private static String first(Matrix.Column column, String engineBefore) {
        return column.engine().equals(engineBefore) ? "" : " data-first";
    }

    private void cell(Matrix.Cell cell, String first) {
        String kind = cell.failures() > 0 ? "bad" : cell.passed() == 0 ? "none" : "good";
        html.append("<td role=\"cell\" class=\"").append(kind).append('"').append(first);
        html.append(" title=\"")
                .append(cell.passed())
                .append(" passed, ")
                .append(cell.failures())
                .append(" failed\"");
        if (kind.equals("good") && !Double.isNaN(cell.units())) {
            html.append(" style=\"--used:").append(used(cell.units())).append('"');
        }
        html.append('>')
                .append(kind.equals("none") ? "–" : escaped(cell.toString()))
                .append("</td>");
    }

    private void failures() {
        List<Outcome> failures = report.failures();
        html.append("<h2>Failures</h2>\n");
        if (failures.isEmpty()) {
            html.append("<p>None.</p>\n");
            return;
        }
        html.append("<ul class=\"failures\">\n");
        for (Outcome failure : failures) {
            html.append("<li><strong>")
                    .append(escaped(failure.status().toString()))
                    .append("</strong> ")
                    .append(escaped(failure.caseName()))
                    .append(" on ")
                    .append(escaped(failure.engine()))
                    .append(" (")
                    .append(escaped(failure.plan()))
                    .append(")<div>")
                    .append(escaped(failure.detail()))
                    .append("</div><code>")
                    .append(escaped(failure.reproduce()))
                    .append("</code></li>\n");
        }
        html.append("</ul>\n");
    }

    private void leftOut() {
        List<Report.Reason> reasons = report.reasons(Outcome.Status.SKIPPED);
        if (reasons.isEmpty()) {
            return;
        }
        html.append("<h2>Left out</h2>\n<ul>\n");
        reasons.forEach(reason -> html.append("<li>")
                .append(reason.count())
                .append(" on ")
                .append(escaped(reason.toString()))
                .append("</li>\n"));
        html.append("</ul>\n");
    }

    private void devices() {
        html.append("<h2>Devices</h2>\n");
        for (EngineInfo engine : report.engines()) {
            html.append("<section><h3>")
                    .append(escaped(engine.id()))
                    .append(": ")
                    .append(escaped(engine.name()))
                    .append("</h3>\n<dl>\n");
            fact("vendor", engine.vendor());
            fact("driver", engine.driver());
            engine.facts().forEach(this::fact);
            html.append("</dl></section>\n");
        }
    }

    private void fact(String name, Object value) {
        String text = String.valueOf(value);
        html.append("<div><dt>").append(escaped(name)).append("</dt><dd>");
        html.append(escaped(
                value instanceof List<?> list
                        ? list.stream().map(String::valueOf).collect(Collectors.joining(", "))
                        : text));
        html.append("</dd></div>\n");
    }

    private static String escaped(String text) {
        return FileFormatException.printableLines(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    private static String template() throws IOException {
        try (InputStream in = HtmlReport.class.getResourceAsStream(TEMPLATE)) {
            if (in == null) {
                throw new FileNotFoundException(TEMPLATE + ": not in this jar; build it again with mvn package");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
