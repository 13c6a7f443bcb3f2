package dev.attention4j.bench;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.style.CategoryStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws a report as it lies in its file: a group of bars for each shape, a bar for each contender. */
public final class ResultChart {
    private static final Pattern LONG_NUMBER = Pattern.compile("-?\\d+\\.\\d{2,}");

    /** Told apart by those who see no red or green, too (Okabe and Ito). */
    private static final Color[] COLOURS = {
        new Color(0xD55E00),
        new Color(0xE69F00),
        new Color(0xF0E442),
        new Color(0x0072B2),
        new Color(0x56B4E9),
        new Color(0x009E73),
        new Color(0xCC79A7),
        new Color(0x999999)
    };

    /** More names do not fit beside each other. */
    private static final int MOST_LEVEL_LABELS = 6;

    private ResultChart() {}

    /**
     * Refuses a file that is neither of the formats.
     *
     * @param file to be drawn into
     * @throws IllegalArgumentException unless it ends in .svg or .png
     */
    static void checkName(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (!name.endsWith(".svg") && !name.endsWith(".png")) {
            throw new IllegalArgumentException("--chart: " + file + ", must end in .svg or .png");
        }
    }

    /**
     * Draws how all that was timed compares with the best peer, or, where there was none, useful GFLOP/s.
     *
     * @param report as {@code --json} writes it
     * @param file ends in .svg or .png
     * @throws IOException if it cannot be written
     */
    public static void write(Map<String, Object> report, Path file) throws IOException {
        checkName(file);
        CategoryChart chart = draw(report);
        String name = file.toString();
        if (name.toLowerCase(Locale.ROOT).endsWith(".svg")) {
            VectorGraphicsEncoder.saveVectorGraphic(chart, name, VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
            shorten(file);
        } else {
            BitmapEncoder.saveBitmap(chart, name, BitmapEncoder.BitmapFormat.PNG);
        }
    }

    static CategoryChart draw(Map<String, Object> report) {
        List<Map<?, ?>> results = new ArrayList<>();
        ((List<?>) report.get("results")).forEach(result -> results.add((Map<?, ?>) result));
        // Relative to the best peer each shape is as tall as any other; in GFLOP/s a decoding step would not be seen.
        boolean relative = results.stream().anyMatch(result -> result.get("ratio_to_best_peer") != null);
        Set<String> shapes = new LinkedHashSet<>();
        Map<String, Map<String, Double>> series = new LinkedHashMap<>();
        for (Map<?, ?> result : results) {
            Object height = result.get(relative ? "ratio_to_best_peer" : "gflops");
            if (height instanceof Number number) {
                String shape = ReadmeTable.shape(result);
                shapes.add(shape);
                // A peer may have two ways to compute a shape.
                series.computeIfAbsent(ReadmeTable.contender(result), name -> new LinkedHashMap<>())
                        .merge(shape, number.doubleValue(), Math::max);
            }
        }
        CategoryChart chart = new CategoryChartBuilder()
                .width(Math.max(1100, 260 + 62 * shapes.size()))
                .height(640)
                .title("Attention on " + report.get("device") + ", " + report.get("dtype")
                        + (relative ? ": speed beside the best peer (higher is better)" : " (higher is better)"))
                .xAxisTitle(xAxisTitle(shapes))
                .yAxisTitle(relative ? "times as fast as the best peer" : "useful GFLOP/s")
                .build();
        style(chart.getStyler(), shapes.size());
        List<String> labels = List.copyOf(shapes);
        int colour = 0;
        for (Map.Entry<String, Map<String, Double>> entry : series.entrySet()) {
            List<Double> heights = new ArrayList<>();
            labels.forEach(label -> heights.add(entry.getValue().getOrDefault(label, 0.0)));
            chart.addSeries(entry.getKey(), labels, heights).setFillColor(COLOURS[colour++ % COLOURS.length]);
        }
        if (relative) {
            CategorySeries line = chart.addSeries("best peer = 1", labels, Collections.nCopies(labels.size(), 1.0));
            line.setChartCategorySeriesRenderStyle(CategorySeries.CategorySeriesRenderStyle.Line);
            line.setMarker(SeriesMarkers.NONE).setLineColor(Color.DARK_GRAY);
        }
        return chart;
    }

    /** Of attention the dimensions, in their order; projections and layers carry the name of their own. */
    private static String xAxisTitle(Set<String> shapes) {
        return shapes.stream().anyMatch(shape -> shape.contains(":"))
                ? "layer:batch.length.width.heads, gemm:rows.in.out"
                : "batch.query heads.key/value heads.query length.key length.head width";
    }

    private static void style(CategoryStyler styler, int shapes) {
        styler.setLegendPosition(Styler.LegendPosition.OutsideS).setLegendLayout(Styler.LegendLayout.Horizontal);
        styler.setChartBackgroundColor(Color.WHITE);
        styler.setXAxisLabelRotation(shapes <= MOST_LEVEL_LABELS ? 0 : 60);
        styler.setAvailableSpaceFill(0.85);
        styler.setPlotGridVerticalLinesVisible(false);
        styler.setYAxisMin(0.0);
        styler.setYAxisDecimalPattern("#,##0.##");
    }

    /** The encoder writes letters as outlines with a dozen digits a point: a tenth of a pixel is enough. */
    private static void shorten(Path svg) throws IOException {
        String text = Files.readString(svg);
        StringBuilder shorter = new StringBuilder();
        Matcher number = LONG_NUMBER.matcher(text);
        while (number.find()) {
            number.appendReplacement(shorter, String.format(Locale.ROOT, "%.1f", Double.parseDouble(number.group())));
        }
        Files.writeString(svg, number.appendTail(shorter));
    }
}
