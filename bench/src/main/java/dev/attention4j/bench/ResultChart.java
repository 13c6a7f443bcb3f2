package dev.attention4j.bench;

import dev.attention4j.bench.ContenderStyle.Theme;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Draws how many times as fast as the best peer contenders are: the shape in words, below it a bar for each contender, and
 * a line at 1. Where no peer was timed the bars are useful GFLOP/s. Letters are large enough to be
 * read where 800 pixels are shrunk to a phone's 400.
 */
final class ResultChart {
    private static final int WIDTH = 800;
    private static final int MARGIN = 16;
    private static final int TITLE = 30;
    private static final int LABEL = 21;
    private static final int SMALL = 18;
    private static final int BAR = 26;
    private static final int GAP = 20;
    /** Space for the figures after the longest bar. */
    private static final int FIGURES = 190;

    private final Theme theme;
    private final Svg svg = new Svg();
    private double y = MARGIN;

    private ResultChart(Theme theme) {
        this.theme = theme;
    }

    /** Throws unless a file's name ends in .svg. */
    static void checkName(Path file) {
        if (!file.toString().toLowerCase(Locale.ROOT).endsWith(".svg")) {
            throw new IllegalArgumentException("--chart: " + file + ", must end in .svg");
        }
    }

    /** Writes the chart of everything that was timed in a report, as {@code --json} writes it. */
    static void write(Map<String, Object> report, Path file) throws IOException {
        checkName(file);
        List<Result> results = Result.list(report);
        WholeFile.write(file, svg(String.valueOf(report.get("device")), results, Theme.LIGHT));
    }

    /**
     * Returns the chart as an SVG document.
     *
     * @param subtitle the device, and what else holds for all figures
     * @param results of all shapes to be drawn; a contender that has several of a shape is shown with its fastest
     */
    static String svg(String subtitle, List<Result> results, Theme theme) {
        return new ResultChart(theme).draw(subtitle, results);
    }

    private String draw(String subtitle, List<Result> results) {
        boolean relative = results.stream().anyMatch(Result::hasRatio);
        String title = relative ? "Times as fast as the best peer" : "Useful GFLOP/s";
        List<Result> drawn = results.stream()
                .filter(result -> !relative || result.hasRatio())
                .toList();
        y += TITLE - 4;
        svg.text(MARGIN, y, title, attributes(TITLE, theme.ink) + " font-weight=\"bold\"");
        y += SMALL + 10;
        svg.text(MARGIN, y, subtitle, attributes(SMALL, theme.faint));
        legend(drawn);
        double longest = drawn.stream()
                .mapToDouble(result -> length(result, relative))
                .max()
                .orElse(1);
        double scale = (WIDTH - 2 * MARGIN - FIGURES) / longest;
        if (relative) {
            y += SMALL + 6;
            svg.text(MARGIN + scale, y, "best peer = 1", attributes(SMALL, theme.ink) + " text-anchor=\"middle\"");
        }
        Set<String> shapes = new LinkedHashSet<>();
        drawn.forEach(result -> shapes.add(result.name()));
        for (String shape : shapes) {
            row(drawn.stream().filter(result -> result.name().equals(shape)).toList(), relative, scale);
        }
        return svg.document(WIDTH, (int) Math.ceil(y), LABEL, theme.paper, title + ": " + subtitle);
    }

    private void legend(List<Result> results) {
        y += SMALL + 12;
        double x = MARGIN;
        Set<String> engines = new LinkedHashSet<>();
        results.stream().sorted(Comparator.comparing(Result::peer)).forEach(result -> engines.add(result.engine()));
        for (String engine : engines) {
            String name = ContenderStyle.name(engine);
            double width = SMALL + 8 + 0.54 * SMALL * name.length() + 20;
            if (x + width > WIDTH && x > MARGIN) {
                x = MARGIN;
                y += SMALL + 8;
            }
            svg.rectangle(x, y - SMALL + 3, SMALL, SMALL, ContenderStyle.colour(engine, theme));
            svg.text(x + SMALL + 8, y, name, attributes(SMALL, theme.ink));
            x += width;
        }
        y += 8;
    }

    private void row(List<Result> ofShape, boolean relative, double scale) {
        y += LABEL + 2;
        svg.text(MARGIN, y, ofShape.get(0).words(), attributes(LABEL, theme.ink));
        y += 8;
        double top = y;
        for (Result result : fastest(ofShape)) {
            double height = result.peer() ? BAR - 6 : BAR;
            double width = Math.max(1, scale * length(result, relative));
            svg.rectangle(MARGIN, y, width, height, ContenderStyle.colour(result.engine(), theme));
            String figure =
                    relative ? String.format(Locale.ROOT, "%.2f", result.ratio()) : ResultTable.digits(result.gflops());
            double base = y + height - (height - SMALL + 4) / 2;
            double x = MARGIN + width + 8;
            if (result.peer()) {
                svg.text(x, base, ms(result), attributes(SMALL, theme.faint));
            } else {
                svg.text(x, base, figure, attributes(LABEL, theme.ink) + " font-weight=\"bold\"");
                svg.text(x + 0.75 * LABEL * figure.length(), base, ms(result), attributes(SMALL, theme.faint));
            }
            y += height + 3;
        }
        if (relative) {
            svg.vertical(MARGIN + scale, top - 4, y + 2, theme.ink);
        }
        y += GAP;
    }

    /** Own contenders first, in the order of the report; a peer that has two ways to compute a shape once. */
    private static List<Result> fastest(List<Result> ofShape) {
        List<Result> fastest = new ArrayList<>();
        Set<String> engines = new LinkedHashSet<>();
        ofShape.stream().sorted(Comparator.comparing(Result::peer)).forEach(result -> engines.add(result.engine()));
        for (String engine : engines) {
            ofShape.stream()
                    .filter(result -> result.engine().equals(engine))
                    .min(Comparator.comparingDouble(Result::ms))
                    .ifPresent(fastest::add);
        }
        return fastest;
    }

    private static double length(Result result, boolean relative) {
        return relative ? result.ratio() : result.gflops();
    }

    private static String ms(Result result) {
        double ms = result.ms();
        return String.format(
                Locale.ROOT, ms >= 100 ? "%.0f ms" : ms >= 10 ? "%.1f ms" : ms >= 1 ? "%.2f ms" : "%.3f ms", ms);
    }

    private static String attributes(int size, String colour) {
        return "font-size=\"" + size + "\" fill=\"" + colour + "\"";
    }
}
