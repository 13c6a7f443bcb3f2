package dev.attention4j.bench;

import dev.attention4j.bench.ContenderStyle.Theme;
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

/**
 * Puts the results of {@code bench/results/} into a README, between two comments: for each device a chart of a few shapes,
 * drawn in light and in dark colours, and a line of figures for each engine. The table of all shapes is written beside the
 * results. No figure there is typed by hand.
 */
public final class ReadmeTable {
    static final String BEGIN = "<!-- benchmarks:begin -->";
    static final String END = "<!-- benchmarks:end -->";

    /** The shapes in the chart, as far as they were timed: one of each kind, whichever is faster. */
    private static final List<String> CHARTED = List.of(
            "1.12.12.128.128.32",
            "8.12.12.512.512.64",
            "4.8.8.1024.1024.64",
            "4.8.8.1024.1024.64:causal",
            "1.8.8.4096.4096.64",
            "1.32.8.2048.2048.128:causal",
            "8.8.8.1.4096.64",
            "layer:8.512.512.8");

    private ReadmeTable() {}

    /** Rewrites the README. */
    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            System.err.println("ReadmeTable: " + args.length + " arguments, must be README.md and bench/results");
            System.exit(2);
        }
        try {
            rewrite(Path.of(args[0]), Path.of(args[1]));
        } catch (IllegalArgumentException e) {
            System.err.println("ReadmeTable: " + e.getMessage());
            System.exit(2);
        }
    }

    /**
     * Rewrites the README, and writes charts and tables.
     *
     * @param results holds {@code <device>.json} files as {@link Compare} writes them
     */
    static void rewrite(Path readme, Path results) throws IOException {
        String text = Files.readString(readme);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IllegalArgumentException(readme + ": must have a line " + BEGIN + " and after it a line " + END);
        }
        Path folder = readme.toAbsolutePath().normalize().getParent();
        String link = folder.relativize(results.toAbsolutePath().normalize())
                        .toString()
                        .replace('\\', '/') + "/";
        StringBuilder section = new StringBuilder(BEGIN).append('\n');
        for (DeviceResults device : DeviceResults.read(results)) {
            List<Result> charted = charted(device);
            if (!charted.isEmpty()) {
                String subtitle = device.fact("device") + ", " + device.fact("dtype");
                for (Theme theme : Theme.values()) {
                    WholeFile.write(results.resolve(chart(device, theme)), ResultChart.svg(subtitle, charted, theme));
                }
                picture(device, link, charted, section);
            }
            WholeFile.write(results.resolve(table(device)), fullTable(device));
            figures(device, link, section);
        }
        section.append('\n');
        WholeFile.write(readme, text.substring(0, begin) + section + text.substring(end));
    }

    private static String chart(DeviceResults device, Theme theme) {
        return device.name() + (theme == Theme.DARK ? "-dark" : "") + ".svg";
    }

    private static String table(DeviceResults device) {
        return device.name() + ".md";
    }

    /** Of each shape what the first device takes by itself, and the best peer. */
    private static List<Result> charted(DeviceResults device) {
        List<Result> charted = new ArrayList<>();
        List<Result> own = device.engines().stream()
                .filter(engine -> engine.startsWith("opencl:"))
                .findFirst()
                .map(device::ownChoices)
                .orElse(List.of());
        for (String shape : CHARTED) {
            own.stream().filter(result -> result.name().equals(shape)).forEach(result -> {
                charted.add(result);
                charted.add(device.bestPeer(shape));
            });
        }
        return charted;
    }

    private static void picture(DeviceResults device, String link, List<Result> charted, StringBuilder section) {
        List<String> bars = charted.stream()
                .filter(result -> !result.peer())
                .map(result -> String.format(Locale.ROOT, "%s: %.2f", result.words(), result.ratio()))
                .toList();
        section.append("\n<picture>\n<source media=\"(prefers-color-scheme: dark)\" srcset=\"")
                .append(link)
                .append(chart(device, Theme.DARK))
                .append("\">\n<img src=\"")
                .append(link)
                .append(chart(device, Theme.LIGHT))
                .append("\" width=\"800\" alt=\"Times as fast as the best peer. ")
                .append(String.join("; ", bars))
                .append("\">\n</picture>\n");
    }

    private static void figures(DeviceResults device, String link, StringBuilder section) {
        section.append('\n');
        for (String engine : device.engines()) {
            section.append(String.format(
                    Locale.ROOT,
                    "- `%s` (%s): %.2f times as fast as the best peer in the geometric mean of %d shapes, at least %.2f times"
                            + " ([all figures](%s))%n",
                    engine,
                    engine.startsWith("opencl:")
                            ? device.fact("device") + ", driver " + device.fact("driver")
                            : "plain Java on the same machine",
                    device.meanRatio(engine).orElseThrow(),
                    device.ownChoices(engine).size(),
                    device.leastRatio(engine).orElseThrow(),
                    link + table(device)));
        }
    }

    private static String fullTable(DeviceResults device) {
        Set<String> columns = new LinkedHashSet<>();
        device.results().stream().filter(result -> !result.peer()).forEach(result -> columns.add(contender(result)));
        device.results().stream().filter(Result::peer).forEach(result -> columns.add(contender(result)));
        Map<String, Map<String, Result>> rows = new LinkedHashMap<>();
        for (Result result : device.results()) {
            // A peer may have several ways to compute the same: its fastest counts.
            rows.computeIfAbsent(result.name(), name -> new LinkedHashMap<>())
                    .merge(contender(result), result, (a, b) -> a.ms() <= b.ms() ? a : b);
        }
        StringBuilder table = new StringBuilder();
        table.append("# ")
                .append(device.fact("device"))
                .append("\n\nMade by `bench/readme.sh` from the `.json` files.");
        table.append(" Driver ").append(device.fact("driver"));
        table.append(", ").append(device.range("threads", " to ")).append(" threads on the host, ");
        table.append(device.fact("dtype"));
        table.append(", medians of ").append(device.range("rounds", " to ")).append(" rounds, measured ");
        table.append(String.valueOf(device.fact("date")), 0, 10);
        table.append(" with ").append(device.fact("version")).append(".\n\n");
        table.append("Milliseconds, and in brackets how many times as fast as the best peer:\n\n");
        table.append("| shape | in words | ")
                .append(String.join(" | ", columns))
                .append(" |\n");
        table.append("|---|---|").append("--:|".repeat(columns.size())).append('\n');
        rows.forEach((shape, cells) -> {
            Result any = cells.values().iterator().next();
            table.append("| ").append(shape).append(" | ").append(any.words()).append(" |");
            for (String column : columns) {
                table.append(' ').append(cell(cells.get(column))).append(" |");
            }
            table.append('\n');
        });
        return table.toString();
    }

    /** The name of a contender in the table. */
    private static String contender(Result result) {
        return result.peer() ? result.engine() : result.engine() + " " + result.plan();
    }

    private static String cell(Result result) {
        if (result == null) {
            return "–";
        }
        String ms = ResultTable.digits(result.ms());
        return result.peer() || !result.hasRatio() ? ms : ms + String.format(Locale.ROOT, " (%.2f)", result.ratio());
    }
}
