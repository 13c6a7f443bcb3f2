package dev.attention4j.cli;

import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;

/** Draws who attends to whom as a PNG: a row for each token that looks, a column for each that is looked at. */
final class HeatMap {
    /** Light enough throughout that black numbers are read on it. */
    private static final Color[] COLORS = {
        new Color(0xFFFFFF), new Color(0xFDE9C9), new Color(0xFDBB6B), new Color(0xF2803C)
    };

    private static final int CELL = 64;
    private static final int MARGIN = 230;

    private HeatMap() {}

    /**
     * Writes the picture.
     *
     * @param weights [from][to], each 0 to 1
     * @param file ends in {@code .png}
     * @throws IOException if it cannot be written
     */
    static void write(String title, List<String> tokens, double[][] weights, Path file) throws IOException {
        BitmapEncoder.saveBitmap(chart(title, tokens, weights), file.toString(), BitmapEncoder.BitmapFormat.PNG);
    }

    private static HeatMapChart chart(String title, List<String> tokens, double[][] weights) {
        int size = MARGIN + CELL * tokens.size();
        HeatMapChart chart = new HeatMapChartBuilder()
                .width(size)
                .height(size)
                .title(title)
                .xAxisTitle("... to this token")
                .yAxisTitle("from this token ...")
                .build();
        List<String> upwards = new ArrayList<>(tokens);
        java.util.Collections.reverse(upwards);
        List<Number[]> cells = new ArrayList<>();
        for (int from = 0; from < weights.length; from++) {
            for (int to = 0; to < weights.length; to++) {
                cells.add(new Number[] {to, weights.length - 1 - from, weights[from][to]});
            }
        }
        chart.addSeries("weight", tokens, upwards, cells);
        chart.getStyler()
                .setMin(0)
                .setMax(1)
                .setRangeColors(COLORS)
                .setShowValue(true)
                .setValueFont(new Font(Font.SANS_SERIF, Font.PLAIN, 14))
                .setHeatMapDecimalValueFormatter(weight -> String.format(Locale.ROOT, "%.2f", weight))
                .setPlotContentSize(1)
                .setChartBackgroundColor(Color.WHITE)
                .setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
        return chart;
    }
}
