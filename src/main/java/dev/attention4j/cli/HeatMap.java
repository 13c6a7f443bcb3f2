package dev.attention4j.cli;

import dev.attention4j.io.WeightColours;
import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.HeatMapStyler;

/** Draws who attends to whom as a PNG: a row for each query token, a column for each key token. */
final class HeatMap {
    /** Steps of the colour scale, between which the chart interpolates. */
    private static final int COLORS = 256;

    private static final double ROUNDED = 1e4;
    /** The most pixels along a side: a larger picture takes too much memory. */
    private static final int MOST_PIXELS = 2400;
    /** A smaller cell holds no number. */
    private static final int NUMBERS_FROM = 56;

    private static final Color INK = new Color(0x222222);
    private static final int CELL = 72;
    private static final int LABELS_AND_LEGEND = 240;
    private static final int TITLES = 160;
    /** Of few tokens, the space that title and legend need. */
    private static final int LEAST = 6 * CELL;
    /** Twice the usual, so that it stays sharp on a fine screen. */
    private static final int DOTS_PER_INCH = 144;

    private HeatMap() {}

    /**
     * Writes the picture, in the colours of {@link WeightColours}.
     *
     * @param weights [from][to], each 0 to 1, one of them above 0
     */
    static void write(String title, List<String> tokens, double[][] weights, Path file) throws IOException {
        BitmapEncoder.saveBitmapWithDPI(
                chart(title, tokens, weights), file.toString(), BitmapEncoder.BitmapFormat.PNG, DOTS_PER_INCH);
    }

    /** The head's largest weight in four digits, as the legend writes it. */
    private static double largest(double[][] weights) {
        double largest =
                Arrays.stream(weights).flatMapToDouble(Arrays::stream).max().orElse(1);
        return Math.max(1, Math.round(largest * ROUNDED)) / ROUNDED;
    }

    private static HeatMapChart chart(String title, List<String> tokens, double[][] weights) {
        int cell = Math.max(1, Math.min(CELL, MOST_PIXELS / tokens.size()));
        double largest = largest(weights);
        HeatMapChart chart = new HeatMapChartBuilder()
                .width(Math.max(LEAST, cell * tokens.size()) + LABELS_AND_LEGEND)
                .height(Math.max(LEAST, cell * tokens.size()) + TITLES)
                .title(title)
                .xAxisTitle("key: the token attended to (each row sums to 1)")
                .yAxisTitle("query: the token that attends")
                .build();
        List<String> upwards = new ArrayList<>(tokens);
        Collections.reverse(upwards);
        List<Number[]> cells = new ArrayList<>();
        for (int from = 0; from < weights.length; from++) {
            for (int to = 0; to < weights.length; to++) {
                cells.add(new Number[] {to, weights.length - 1 - from, Math.min(weights[from][to], largest)});
            }
        }
        chart.addSeries("weight", tokens, upwards, cells);
        HeatMapStyler styler = chart.getStyler();
        styler.setMin(0)
                .setMax(largest)
                .setRangeColors(colors())
                .setGradientColorColumnWeight(22)
                .setGradientColorColumnHeight(CELL * 4)
                .setShowValue(cell >= NUMBERS_FROM)
                .setValueFont(font(Font.PLAIN, 15))
                .setValueFontColor(INK)
                .setHeatMapValueDecimalPattern("0.00");
        styler.setLocale(Locale.ROOT)
                .setPlotGridLinesVisible(false)
                .setPlotMargin(0)
                .setAxisTicksLineVisible(false)
                .setAxisTicksMarksVisible(false)
                .setAxisTickPadding(8)
                .setAxisTitlePadding(14)
                .setAxisTickLabelsFont(font(Font.BOLD, Math.max(6, Math.min(15, cell - 3))))
                .setAxisTickLabelsColor(INK)
                .setAxisTitleFont(font(Font.PLAIN, 15))
                .setXAxisLabelRotation(cell >= NUMBERS_FROM ? 0 : 90)
                .setXAxisLabelAlignmentVertical(AxesChartStyler.TextAlignment.Left)
                .setYAxisLabelAlignment(AxesChartStyler.TextAlignment.Right);
        styler.setPlotContentSize(1)
                .setPlotBorderVisible(false)
                .setLegendBorderColor(Color.WHITE)
                .setLegendFont(font(Font.PLAIN, 13))
                .setChartBackgroundColor(Color.WHITE)
                .setChartFontColor(INK)
                .setChartPadding(16)
                .setChartTitlePadding(14)
                .setChartTitleFont(font(Font.BOLD, 19));
        return chart;
    }

    private static Color[] colors() {
        Color[] colors = new Color[COLORS];
        for (int n = 0; n < COLORS; n++) {
            colors[n] = new Color(WeightColours.rgb(n, COLORS - 1));
        }
        return colors;
    }

    private static Font font(int style, int size) {
        return new Font(Font.SANS_SERIF, style, size);
    }
}
