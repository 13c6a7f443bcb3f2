package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.reference.Deviation;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;

/**
 * A report as one HTML file for a browser: devices, the matrix, and each failure with the line that reproduces it. It needs
 * no other file, loads nothing and runs no script.
 */
public final class HtmlReport {
    /** The place of the limit in a cell; the style sheet has the same. */
    private static final double LIMIT_PERCENT = 80;

    private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm 'UTC'", Locale.ROOT);

    private static final Properties FEATURES = new Properties();

    static {
        try {
            FEATURES.load(new StringReader(resource("features.properties")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private final Report report;
    private final StringBuilder html = new StringBuilder();

    private HtmlReport(Report report) {
        this.report = report;
    }

    /** Writes the page; a file that is there already is replaced. */
    public static void write(Report report, Path file) throws IOException {
        HtmlReport page = new HtmlReport(report);
        page.summary();
        page.matrix();
        page.failures();
        page.leftOut();
        page.devices();
        Files.writeString(
                file,
                resource("report.html")
                        .replace("<!--TITLE-->", escaped(report.title()))
                        .replace("<!--BODY-->", page.html.toString()));
    }

    /** Adds markup; texts among the values are escaped. */
    private void add(String markup, Object... values) {
        Object[] escaped = Arrays.stream(values)
                .map(value -> value instanceof String text ? escaped(text) : value)
                .toArray();
        html.append(String.format(Locale.ROOT, markup, escaped));
    }

    private void summary() {
        add(
                "<p class=\"verdict %s\">%d passed, %d failed</p>\n",
                report.succeeded() ? "good" : "bad",
                report.count(Outcome.Status.PASSED),
                report.failures().size());
        add(
                "<p>attention4j %s, %s, %.0f s in cases",
                report.version(),
                report.date().atOffset(ZoneOffset.UTC).format(DATE),
                report.outcomes().stream().mapToDouble(Outcome::seconds).sum());
        if (report.count(Outcome.Status.SKIPPED) > 0) {
            add(", %d left out (see below)", report.count(Outcome.Status.SKIPPED));
        }
        add("</p>\n");
    }

    private void matrix() {
        Matrix matrix = new Matrix(report.outcomes());
        Map<String, Long> plans = matrix.columns().stream()
                .collect(Collectors.groupingBy(Matrix.Column::engine, LinkedHashMap::new, Collectors.counting()));
        add(
                "<h2>Matrix</h2>\n<p>Each number is the largest error of a row's cases relative to plain float code's error on"
                        + " the same problems. The limit is %d; <em>ok</em> is right where nothing is measured, – is nothing"
                        + " run.</p>\n",
                (int) Deviation.MOST_UNITS);
        // How long the bars of cells are: for readers, what 1 and the limit mean.
        add(
                "<div class=\"scale\"><div class=\"bar\" style=\"--used:%1$s\"></div><span>0</span>"
                        + "<span style=\"left:%1$s\">1: as plain float code</span>"
                        + "<span style=\"left:%2$s\">%3$d: the limit</span></div>\n",
                used(1), used(Deviation.MOST_UNITS), (int) Deviation.MOST_UNITS);
        add(
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"matrix\"><table class=\"matrix\" role=\"table\""
                        + " style=\"--columns:%d\">\n<thead role=\"rowgroup\"><tr role=\"row\"><th rowspan=\"2\" scope=\"col\""
                        + " role=\"columnheader\">feature</th>",
                matrix.columns().size());
        plans.forEach((engine, count) -> add(
                "<th scope=\"colgroup\" role=\"columnheader\" colspan=\"%1$d\" style=\"--span:%1$d\">%2$s<small"
                        + " title=\"%3$s\">%3$s</small></th>",
                count, engine, name(engine)));
        add("</tr>\n<tr role=\"row\">");
        String before = "";
        for (Matrix.Column column : matrix.columns()) {
            add("<th scope=\"col\" role=\"columnheader\"%s>%s</th>", first(column, before), column.plan());
            before = column.engine();
        }
        add("</tr></thead>\n<tbody role=\"rowgroup\">\n");
        for (String feature : matrix.features()) {
            add("<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">%s", feature);
            if (!words(feature).isEmpty()) {
                add(" <small>%s</small>", words(feature));
            }
            add("</th>");
            before = "";
            for (Matrix.Column column : matrix.columns()) {
                cell(matrix.cell(feature, column), first(column, before));
                before = column.engine();
            }
            add("</tr>\n");
        }
        add("</tbody></table></div>\n");
    }

    /** The length of a bar in its cell, in which the limit is at four fifths. */
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
        add(
                "<td role=\"cell\" class=\"%s\"%s title=\"%d passed, %d failed\"",
                kind, first, cell.passed(), cell.failures());
        if (kind.equals("good") && !Double.isNaN(cell.units())) {
            add(" style=\"--used:%s\"", used(cell.units()));
        }
        add(">%s</td>", kind.equals("none") ? "–" : cell.toString());
    }

    private void failures() {
        List<Outcome> failures = report.failures();
        add("<h2>Failures</h2>\n" + (failures.isEmpty() ? "<p>None.</p>\n" : "<ul class=\"failures\">\n"));
        for (Outcome failure : failures) {
            add(
                    "<li><strong>%s</strong> %s on %s (%s)<div>%s</div><code>%s</code></li>\n",
                    failure.status(),
                    failure.caseName(),
                    failure.engine(),
                    failure.plan(),
                    failure.detail(),
                    failure.reproduce());
        }
        add(failures.isEmpty() ? "" : "</ul>\n");
    }

    private void leftOut() {
        List<Report.Reason> reasons = report.reasons(Outcome.Status.SKIPPED);
        if (reasons.isEmpty()) {
            return;
        }
        add("<h2>Left out</h2>\n<ul>\n");
        reasons.forEach(reason -> add("<li>%d on %s</li>\n", reason.count(), reason.toString()));
        add("</ul>\n");
    }

    private void devices() {
        add("<h2>Devices</h2>\n");
        for (EngineInfo engine : report.engines()) {
            add("<section><h3>%s: %s</h3>\n<dl>\n", engine.id(), engine.name());
            fact("vendor", engine.vendor());
            fact("driver", engine.driver());
            engine.facts().forEach(this::fact);
            add("</dl></section>\n");
        }
    }

    private void fact(String name, Object value) {
        String text = value instanceof List<?> list
                ? list.stream().map(String::valueOf).collect(Collectors.joining(", "))
                : String.valueOf(value);
        add("<div><dt>%s</dt><dd>%s</dd></div>\n", name, text);
    }

    private static String escaped(String text) {
        return FileFormatException.printableLines(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    /** Returns what the cases of a feature test, in words; empty for cases that the suite does not have. */
    static String words(String feature) {
        return FEATURES.getProperty(feature, "");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = HtmlReport.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + ": not in this jar; build it again with mvn package");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
