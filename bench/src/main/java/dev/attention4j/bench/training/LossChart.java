package dev.attention4j.bench.training;

import dev.attention4j.bench.Svg;
import java.util.List;
import java.util.Locale;

/** Draws the loss of a training, with that of the same model in PyTorch where there is one, for 800 pixels. */
final class LossChart {
    private static final int WIDTH = 800;
    private static final int HEIGHT = 480;
    private static final double LEFT = 64;
    private static final double RIGHT = WIDTH - 24;
    private static final double TOP = 96;
    private static final double BOTTOM = HEIGHT - 56;
    private static final String PAPER = "#ffffff";
    private static final String INK = "#1f2328";
    private static final String FAINT = "#59636e";
    private static final String RULE = "#d1d9e0";
    private static final String OWN = "#0969da";
    private static final String TORCH = "#f0883e";
    private static final int FONT = 17;
    private static final int TITLE = 24;

    private final Svg svg = new Svg();
    private final int steps;
    private final double least;
    private final double most;

    private LossChart(int steps, double least, double most) {
        this.steps = steps;
        this.least = least;
        this.most = most;
    }

    /**
     * Returns an SVG document.
     *
     * @param losses of each step
     * @param ofTorch of as many or fewer steps; empty for none
     * @param smooth steps of which the mean is drawn, the last ones up to each; 1 for the losses themselves
     */
    static String svg(String title, String subtitle, List<Float> losses, List<Float> ofTorch, int smooth) {
        double[] own = means(losses, smooth);
        double[] torch = means(ofTorch, smooth);
        double least = Double.MAX_VALUE;
        double most = 0;
        for (double[] curve : new double[][] {own, torch}) {
            for (double loss : curve) {
                least = Math.min(least, loss);
                most = Math.max(most, loss);
            }
        }
        return new LossChart(Math.max(2, losses.size()), least, most).draw(title, subtitle, own, torch);
    }

    private static double[] means(List<Float> losses, int smooth) {
        double[] means = new double[losses.size()];
        for (int n = 0; n < means.length; n++) {
            int from = Math.max(0, n + 1 - smooth);
            means[n] = losses.subList(from, n + 1).stream()
                    .mapToDouble(Float::doubleValue)
                    .average()
                    .orElseThrow();
        }
        return means;
    }

    private String draw(String title, String subtitle, double[] own, double... torch) {
        svg.text(16, 34, title, font(TITLE, INK) + " font-weight=\"bold\"");
        svg.text(16, 62, subtitle, font(FONT, FAINT));
        double unit = unit(most - least, 5);
        double floor = Math.floor(least / unit) * unit;
        double ceiling = Math.ceil(most / unit) * unit;
        for (int n = 0; floor + n * unit < ceiling + unit / 2; n++) {
            double loss = floor + n * unit;
            double y = y(loss, floor, ceiling);
            svg.line(new double[] {LEFT, RIGHT}, new double[] {y, y}, RULE, 1, "");
            svg.text(LEFT - 10, y + 6, label(loss, unit), font(FONT, FAINT) + " text-anchor=\"end\"");
        }
        double stepUnit = Math.max(1, unit(steps, 6));
        for (double step = 0; step <= steps; step += stepUnit) {
            String anchor = " text-anchor=\"" + (step > 0.97 * steps ? "end" : "middle") + "\"";
            svg.text(x(step), BOTTOM + 24, label(step, 1), font(FONT, FAINT) + anchor);
        }
        svg.text((LEFT + RIGHT) / 2, HEIGHT - 10, "step", font(FONT, FAINT) + " text-anchor=\"middle\"");
        if (torch.length > 0) {
            curve(torch, TORCH, 7, floor, ceiling);
        }
        curve(own, OWN, 2, floor, ceiling);
        legend(0, OWN, 2, "attention4j");
        if (torch.length > 0) {
            legend(1, TORCH, 7, "PyTorch, same weights and batches");
        }
        return svg.document(WIDTH, HEIGHT, FONT, PAPER, title + ": " + subtitle);
    }

    private void legend(int line, String colour, double width, String words) {
        double y = TOP + 20 + line * 26;
        double x = RIGHT - 370;
        svg.line(new double[] {x, x + 32}, new double[] {y, y}, colour, width, "");
        svg.text(x + 42, y + 6, words, font(FONT, INK));
    }

    private void curve(double[] losses, String colour, double width, double floor, double ceiling) {
        double[] xs = new double[losses.length];
        double[] ys = new double[losses.length];
        for (int n = 0; n < losses.length; n++) {
            xs[n] = x(n + 1);
            ys[n] = y(losses[n], floor, ceiling);
        }
        svg.line(xs, ys, colour, width, "");
    }

    private double x(double step) {
        return LEFT + (RIGHT - LEFT) * step / steps;
    }

    private static double y(double loss, double floor, double ceiling) {
        return BOTTOM - (BOTTOM - TOP) * (loss - floor) / Math.max(1e-9, ceiling - floor);
    }

    /** Returns 1, 2 or 5 times a power of ten: some as many as wanted make the range. */
    private static double unit(double range, int wanted) {
        double rough = Math.max(1e-6, range / wanted);
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        for (int factor : new int[] {1, 2, 5}) {
            if (factor * power >= rough) {
                return factor * power;
            }
        }
        return 10 * power;
    }

    private static String label(double number, double unit) {
        int digits = Math.max(0, (int) Math.ceil(-Math.log10(unit) - 1e-9));
        return String.format(Locale.ROOT, "%." + digits + "f", number);
    }

    private static String font(int size, String colour) {
        return "font-size=\"" + size + "\" fill=\"" + colour + "\"";
    }
}
