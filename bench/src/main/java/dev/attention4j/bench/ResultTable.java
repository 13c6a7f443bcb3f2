package dev.attention4j.bench;

import dev.attention4j.measure.Shape;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** The report for a person at a terminal. */
final class ResultTable {
    private static final String ROW = "  %-12s %-28s %9s %9s %8s %7s %9s%n";

    private final PrintWriter out;
    private final Report report;

    ResultTable(PrintWriter out, Report report) {
        this.out = out;
        this.report = report;
    }

    /** The rows of one shape, under its name. */
    void print(Shape shape) {
        List<Measurement> ofShape = report.of(shape);
        out.println();
        out.println(
                shape + "   checked against: " + ofShape.get(ofShape.size() - 1).checkedAgainst());
        out.printf(Locale.ROOT, ROW, "", "plan", "ms", "GFLOP/s", "ratio", "peak", "error");
        for (Measurement measurement : ofShape) {
            if (measurement.isTimed()) {
                out.printf(
                        Locale.ROOT,
                        ROW,
                        measurement.contender(),
                        measurement.plan(),
                        digits(measurement.medianMs()),
                        digits(measurement.gflops()),
                        ratio(report.ratio(measurement)),
                        percent(report.fractionOfPeak(measurement)),
                        String.format(Locale.ROOT, "%.1e", measurement.maxError()));
                if (report.fractionOfRead(measurement).isPresent()) {
                    out.printf(
                            Locale.ROOT,
                            "    keys and values at %s of the %s GB/s of a plain read%n",
                            percent(report.fractionOfRead(measurement)),
                            digits(measurement.readGbPerS()));
                }
                report.timesForward(measurement)
                        .ifPresent(times -> out.printf(Locale.ROOT, "    %.2f times its forward pass%n", times));
                if (report.fractionOfMultiplyAdds(measurement).isPresent()) {
                    out.printf(
                            Locale.ROOT,
                            "    %s of the %s GFLOP/s of multiply-adds alone in the same rounds%n",
                            percent(report.fractionOfMultiplyAdds(measurement)),
                            digits(measurement.multiplyAddGflops()));
                }
            } else {
                String mark =
                        switch (measurement.outcome()) {
                            case FAILED -> "failed";
                            case TOO_SLOW -> "slow";
                            default -> "-";
                        };
                out.printf(Locale.ROOT, ROW, measurement.contender(), measurement.plan(), mark, mark, "-", "-", "-");
                out.println("    " + measurement.reason());
            }
        }
        out.flush();
    }

    /** The ratios of each engine over all shapes. */
    void printSummary() {
        out.println();
        out.println("ratio to the best peer (its median / this median: above 1 is faster than every peer)");
        out.printf(Locale.ROOT, "  %-12s %-28s %9s %9s %7s%n", "", "plan", "geomean", "least", "shapes");
        for (String engine : report.engineIds()) {
            List<String> plans = report.plans(engine);
            for (String plan : plans) {
                summaryRow(engine, plan, report.ratios(engine, plan));
            }
            if (plans.size() > 1) {
                summaryRow(engine, "(as it chooses)", report.ratios(engine, null));
            }
        }
        out.flush();
    }

    private void summaryRow(String engine, String plan, List<Double> ratios) {
        out.printf(
                Locale.ROOT,
                "  %-12s %-28s %9s %9s %7d%n",
                engine,
                plan,
                ratio(Figures.geometricMean(ratios)),
                ratio(ratios.stream().mapToDouble(Double::doubleValue).min()),
                ratios.size());
    }

    static String digits(double number) {
        return String.format(Locale.ROOT, number >= 100 ? "%.0f" : number >= 10 ? "%.1f" : "%.3f", number);
    }

    static String ratio(OptionalDouble ratio) {
        return ratio.isPresent() ? String.format(Locale.ROOT, "%.2fx", ratio.getAsDouble()) : "-";
    }

    static String percent(OptionalDouble fraction) {
        return fraction.isPresent() ? String.format(Locale.ROOT, "%.1f%%", 100 * fraction.getAsDouble()) : "-";
    }
}
