package dev.attention4j.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.style.Styler;

/** Draws a report as it lies in its file: a group of bars for each shape, a bar for each contender. */
public final class ResultChart {
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
     * Draws useful GFLOP/s of all that was timed.
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
        } else {
            BitmapEncoder.saveBitmap(chart, name, BitmapEncoder.BitmapFormat.PNG);
        }
    }

    private static CategoryChart draw(Map<String, Object> report) {
        List<String> shapes = new ArrayList<>();
        Map<String, Map<String, Double>> series = new LinkedHashMap<>();
        for (Object entry : (List<?>) report.get("results")) {
            Map<?, ?> result = (Map<?, ?>) entry;
            String shape = ReadmeTable.shape(result);
            if (!shapes.contains(shape)) {
                shapes.add(shape);
            }
            series.computeIfAbsent(ReadmeTable.contender(result), name -> new LinkedHashMap<>())
                    .put(shape, ((Number) result.get("gflops")).doubleValue());
        }
        CategoryChart chart = new CategoryChartBuilder()
                .width(Math.max(700, 260 + 62 * shapes.size()))
                .height(640)
                .title("Attention on " + report.get("device") + ", " + report.get("dtype") + ", "
                        + report.get("threads") + " threads")
                .xAxisTitle("batch.query heads.key/value heads.query length.key length.head width")
                .yAxisTitle("useful GFLOP/s (higher is better)")
                .build();
        chart.getStyler()
                .setLegendPosition(Styler.LegendPosition.OutsideS)
                .setLegendLayout(Styler.LegendLayout.Horizontal);
        chart.getStyler().setXAxisLabelRotation(60);
        chart.getStyler().setAvailableSpaceFill(0.85);
        chart.getStyler().setPlotGridVerticalLinesVisible(false);
        chart.getStyler().setYAxisDecimalPattern("#,##0.#");
        series.forEach((who, values) -> chart.addSeries(
                who,
                shapes,
                shapes.stream()
                        .map(shape -> Objects.requireNonNullElse(values.get(shape), 0.0))
                        .toList()));
        return chart;
    }
}
