package dev.attention4j.bench;

import dev.attention4j.bench.ContenderStyle.Theme;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Draws the kit's figures as an SVG of its own making, so that the kit needs neither fonts nor Java's graphics: for
 * each case a bar for this project and one for each of PyTorch's backends that was timed, with its figure behind it.
 */
final class KitChart {
    private static final int WIDTH = 1000;
    private static final int LEFT = 300;
    private static final int RIGHT = 130;
    private static final int BAR = 13;
    private static final int GAP = 9;
    private static final String OWN = "attention4j";

    /** Colours that can be told apart by those who see few; the first is this project's. */
    private static final Map<String, String> COLOURS = colours();

    private final Svg svg = new Svg();
    private int y = 30;

    private KitChart() {}

    /** One bar: whose, GFLOP/s, and what stands behind it. */
    private record Bar(String who, double gflops, String label) {}

    /** The chart of a merged report; one with a sentence instead of bars where there are no figures. */
    static String svg(Map<String, Object> report) {
        KitChart chart = new KitChart();
        chart.draw(report);
        return chart.svg.document(WIDTH, chart.y + 20, 12, Theme.LIGHT.paper, "Attention on " + device(report));
    }

    private void draw(Map<String, Object> report) {
        Map<String, List<Bar>> cases = bars(report);
        svg.text(20, y, "Attention on " + device(report), "font-size=\"17\" font-weight=\"bold\"");
        y += 20;
        svg.text(
                20,
                y,
                "useful GFLOP/s (longer is better) and milliseconds by the device's clock, tensors in device memory; "
                        + report.get("date") + ", version " + report.get("version"),
                "fill=\"#555555\"");
        y += 20;
        if (cases.isEmpty()) {
            svg.text(20, y + 10, "No case was timed: results.json says why.", "");
            y += 20;
            return;
        }
        legend(cases);
        Map<String, Double> peaks = peaks(report);
        String dtype = null;
        double most = 0;
        List<String> order = new ArrayList<>(cases.keySet());
        // Cases of one type together, each type in the order of the grid, which is that of how much they tell.
        order.sort(Comparator.comparing(KitChart::group));
        for (String name : order) {
            String type = group(name);
            if (!type.equals(dtype)) {
                dtype = type;
                most = most(cases, type);
                heading(type, peaks);
            }
            bars(name.split(" ", 2)[1], cases.get(name), most);
        }
    }

    private static Map<String, List<Bar>> bars(Map<String, Object> report) {
        Map<String, List<Bar>> cases = new LinkedHashMap<>();
        for (Map<String, Object> entry : KitReport.entries(report, "resident", "results")) {
            if (KitReport.isTimed(entry)) {
                String label =
                        label(KitReport.number(entry, "gflops"), KitReport.deviceMs(entry)) + ", " + entry.get("plan");
                cases.computeIfAbsent(KitReport.caseName(entry), unused -> new ArrayList<>())
                        .add(new Bar(OWN, KitReport.number(entry, "gflops"), label));
            }
        }
        for (Map<String, Object> entry : KitReport.entries(report, "torch", "results")) {
            double gflops = KitReport.number(entry, "gflops");
            cases.computeIfAbsent(KitReport.caseName(entry), unused -> new ArrayList<>())
                    .add(new Bar(
                            "PyTorch " + entry.get("backend"),
                            gflops,
                            label(gflops, KitReport.number(entry, "median_ms"))));
        }
        return cases;
    }

    /**
     * What shares a heading and a scale: decoding is bound by memory, and would be a row of dots on the others' scale.
     */
    private static String group(String name) {
        return name.split(" ", 2)[0] + (name.matches("\\S+ \\d+\\.\\d+\\.\\d+\\.1\\..*") ? ", decoding" : "");
    }

    private static double most(Map<String, List<Bar>> cases, String type) {
        return cases.entrySet().stream()
                .filter(entry -> group(entry.getKey()).equals(type))
                .flatMap(entry -> entry.getValue().stream())
                .mapToDouble(Bar::gflops)
                .max()
                .orElse(1);
    }

    private static Map<String, Double> peaks(Map<String, Object> report) {
        Map<String, Double> peaks = new LinkedHashMap<>();
        String engine = report.get("resident") instanceof Map<?, ?> map ? String.valueOf(map.get("engine")) : "";
        for (Map<String, Object> entry : KitReport.entries(report, "roofline", "results")) {
            if (engine.equals(entry.get("engine")) && entry.containsKey("multiply_add_gflops")) {
                peaks.put("float32", KitReport.number(entry, "multiply_add_gflops"));
                peaks.put("copy", KitReport.number(entry, "copy_gb_per_s"));
            }
        }
        return peaks;
    }

    private static String device(Map<String, Object> report) {
        return report.get("resident") instanceof Map<?, ?> map && map.get("device") != null
                ? map.get("device") + (map.get("driver") == null ? "" : ", driver " + map.get("driver"))
                : "this machine";
    }

    // ---- strokes

    private void legend(Map<String, List<Bar>> cases) {
        int x = 20;
        for (Map.Entry<String, String> colour : COLOURS.entrySet()) {
            boolean there = cases.values().stream().flatMap(List::stream).anyMatch(bar -> bar.who()
                    .equals(colour.getKey()));
            if (there) {
                svg.rectangle(x, y - 10, 12, 12, colour.getValue());
                svg.text(x + 17, y, colour.getKey(), "");
                x += 40 + 8 * colour.getKey().length();
            }
        }
        y += 10;
    }

    private void heading(String type, Map<String, Double> peaks) {
        y += 30;
        svg.text(20, y, type, "font-size=\"15\" font-weight=\"bold\"");
        if (peaks.containsKey("float32")) {
            svg.text(
                    LEFT,
                    y,
                    String.format(
                            Locale.ROOT,
                            "float32 multiply-add peak measured here: %s; copy: %.0f GB/s",
                            rate(peaks.get("float32")),
                            peaks.get("copy")),
                    "fill=\"#555555\"");
        }
        y += 12;
    }

    private void bars(String name, List<Bar> bars, double most) {
        svg.text(LEFT - 8, y + bars.size() * BAR / 2 + 4, name.replace(":causal", " causal"), "text-anchor=\"end\"");
        for (Bar bar : bars) {
            int width = (int) Math.max(1, (WIDTH - LEFT - RIGHT - 60) * bar.gflops() / most);
            svg.rectangle(LEFT, y, width, BAR - 2, COLOURS.getOrDefault(bar.who(), "#888888"));
            svg.text(LEFT + width + 5, y + BAR - 3, bar.label(), "font-size=\"10\"");
            y += BAR;
        }
        y += GAP;
    }

    private static String label(double gflops, double ms) {
        return rate(gflops) + ", "
                + String.format(Locale.ROOT, ms < 10 ? "%.3f ms" : ms < 1000 ? "%.1f ms" : "%.0f ms", ms);
    }

    private static String rate(double gflops) {
        return gflops >= 1000
                ? String.format(Locale.ROOT, "%.1f TFLOP/s", gflops / 1000)
                : String.format(Locale.ROOT, gflops < 10 ? "%.2f GFLOP/s" : "%.0f GFLOP/s", gflops);
    }

    private static Map<String, String> colours() {
        Map<String, String> colours = new LinkedHashMap<>();
        colours.put(OWN, ContenderStyle.colour("opencl:0", Theme.LIGHT));
        colours.put("PyTorch flash", "#e69f00");
        colours.put("PyTorch cudnn", "#d55e00");
        colours.put("PyTorch efficient", "#cc79a7");
        colours.put("PyTorch math", "#999999");
        return colours;
    }
}
