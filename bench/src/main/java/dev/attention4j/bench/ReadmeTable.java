package dev.attention4j.bench;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Puts the results of {@code bench/results/} into a README, between two comments, and draws a chart beside each: no
 * figure there is typed by hand.
 */
public final class ReadmeTable {
    static final String BEGIN = "<!-- benchmarks:begin -->";
    static final String END = "<!-- benchmarks:end -->";

    private ReadmeTable() {}

    /**
     * Rewrites the README.
     *
     * @param args the README and the directory of the results
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            System.err.println("ReadmeTable: " + args.length + " arguments, must be README.md and bench/results");
            System.exit(2);
        }
        System.setProperty("java.awt.headless", "true");
        try {
            rewrite(Path.of(args[0]), Path.of(args[1]));
        } catch (IllegalArgumentException e) {
            System.err.println("ReadmeTable: " + e.getMessage());
            System.exit(2);
        }
    }

    /**
     * Rewrites the README and draws the charts.
     *
     * @param readme has both comments
     * @param results holds {@code <device>.json} files as {@link Compare} writes them
     * @throws IOException if a file cannot be read or written
     * @throws IllegalArgumentException if the comments or the results are not there
     */
    static void rewrite(Path readme, Path results) throws IOException {
        String text = Files.readString(readme);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IllegalArgumentException(readme + ": must have a line " + BEGIN + " and behind it a line " + END);
        }
        List<Path> files;
        try (Stream<Path> listed = Files.list(results)) {
            files = listed.filter(file -> file.toString().endsWith(".json"))
                    .sorted()
                    .toList();
        }
        if (files.isEmpty()) {
            throw new IllegalArgumentException(results + ": must hold at least one .json file of Compare");
        }
        StringBuilder section = new StringBuilder(BEGIN).append('\n');
        for (Path file : files) {
            Map<String, Object> report = JSON.std.mapFrom(Files.readString(file));
            Path chart = file.resolveSibling(file.getFileName().toString().replaceAll("\\.json$", ".svg"));
            ResultChart.write(report, chart);
            Path folder = readme.toAbsolutePath().normalize().getParent();
            String link = folder.relativize(chart.toAbsolutePath().normalize())
                    .toString()
                    .replace('\\', '/');
            append(section, report, link);
        }
        section.append('\n');
        Files.writeString(readme, text.substring(0, begin) + section + text.substring(end));
    }

    private static void append(StringBuilder section, Map<String, Object> report, String chart) {
        List<Map<?, ?>> results = new ArrayList<>();
        ((List<?>) report.get("results")).forEach(result -> results.add((Map<?, ?>) result));
        Set<String> engines = new LinkedHashSet<>();
        Set<String> peers = new LinkedHashSet<>();
        Map<String, Map<String, Map<?, ?>>> rows = new LinkedHashMap<>();
        for (Map<?, ?> result : results) {
            String who = contender(result);
            (result.get("peer").equals(true) ? peers : engines).add(who);
            // A peer may have several ways to compute the same: its fastest counts.
            rows.computeIfAbsent(shape(result), name -> new LinkedHashMap<>())
                    .merge(who, result, (a, b) -> number(a, "median_ms") <= number(b, "median_ms") ? a : b);
        }
        section.append("\n**")
                .append(report.get("device"))
                .append("** (driver ")
                .append(report.get("driver"));
        section.append("), ").append(report.get("threads")).append(" threads on the host, ");
        section.append(report.get("dtype")).append(", medians of ").append(report.get("rounds"));
        section.append(" rounds, measured ").append(String.valueOf(report.get("date")), 0, 10);
        section.append(" with ").append(report.get("version")).append(".\n\n");
        List<String> shapes = List.copyOf(rows.keySet());
        section.append("![Bars for ")
                .append(shapes.get(0))
                .append(" to ")
                .append(shapes.get(shapes.size() - 1))
                .append(" on ")
                .append(report.get("device"))
                .append("](")
                .append(chart)
                .append(")\n\n");
        List<String> columns = new ArrayList<>(engines);
        columns.addAll(peers);
        section.append("Milliseconds, and in brackets how many times as fast as the best peer:\n\n");
        section.append("| shape | ").append(String.join(" | ", columns)).append(" |\n");
        section.append("|---|").append("--:|".repeat(columns.size())).append('\n');
        rows.forEach((shape, cells) -> {
            section.append("| ").append(shape).append(" |");
            for (String column : columns) {
                section.append(' ').append(cell(cells.get(column))).append(" |");
            }
            section.append('\n');
        });
        section.append('\n');
        ((Map<?, ?>) report.get("summary")).forEach((engine, figures) -> {
            Map<?, ?> summary = (Map<?, ?>) figures;
            if (summary.get("geomean_ratio") != null) {
                section.append(String.format(
                        Locale.ROOT,
                        "- `%s`: %.2f times as fast as the best peer in the geometric mean of %s shapes, at least %.2f times%n",
                        engine,
                        number(summary, "geomean_ratio"),
                        summary.get("shapes"),
                        number(summary, "min_ratio")));
            }
        });
    }

    /** What a contender is called in charts and tables. */
    static String contender(Map<?, ?> result) {
        return Boolean.TRUE.equals(result.get("peer"))
                ? String.valueOf(result.get("engine"))
                : result.get("engine") + " " + result.get("plan");
    }

    /** What a shape is called in charts and tables. */
    static String shape(Map<?, ?> result) {
        return result.get("shape")
                + (Boolean.TRUE.equals(result.get("causal")) ? " causal" : "")
                + (Boolean.TRUE.equals(result.get("mask")) ? " mask" : "");
    }

    private static String cell(Map<?, ?> result) {
        if (result == null) {
            return "–";
        }
        String ms = ResultTable.digits(number(result, "median_ms"));
        return Boolean.TRUE.equals(result.get("peer")) || result.get("ratio_to_best_peer") == null
                ? ms
                : ms + String.format(Locale.ROOT, " (%.2f)", number(result, "ratio_to_best_peer"));
    }

    private static double number(Map<?, ?> map, String name) {
        return ((Number) map.get(name)).doubleValue();
    }
}
