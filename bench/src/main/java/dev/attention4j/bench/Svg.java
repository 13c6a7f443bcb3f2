package dev.attention4j.bench;

import java.util.Locale;

/** Strokes of an SVG document, so that charts need neither fonts nor Java's graphics. */
public final class Svg {
    private static final String FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

    private final StringBuilder strokes = new StringBuilder();

    /** Draws a filled rectangle. */
    public void rectangle(double left, double top, double width, double height, String colour) {
        strokes.append(String.format(
                Locale.ROOT,
                "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" fill=\"%s\"/>\n",
                number(left),
                number(top),
                number(width),
                number(height),
                colour));
    }

    /** Draws a dashed vertical line. */
    void vertical(double x, double top, double bottom, String colour) {
        strokes.append(String.format(
                Locale.ROOT,
                "<path d=\"M%s %sV%s\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"6 4\"/>\n",
                number(x),
                number(top),
                number(bottom),
                colour));
    }

    /** Draws a line through points; {@code attributes} are as SVG has them, or empty. */
    public void line(double[] xs, double[] ys, String colour, double width, String attributes) {
        StringBuilder path = new StringBuilder();
        for (int n = 0; n < xs.length; n++) {
            path.append(n == 0 ? 'M' : 'L').append(number(xs[n])).append(' ').append(number(ys[n]));
        }
        strokes.append(String.format(
                Locale.ROOT,
                "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\" stroke-linejoin=\"round\" %s/>\n",
                path,
                colour,
                number(width),
                attributes));
    }

    /** Writes words; {@code attributes} are as SVG has them, or empty. */
    public void text(double x, double base, String words, String attributes) {
        strokes.append(String.format(
                Locale.ROOT,
                "<text x=\"%s\" y=\"%s\" %s>%s</text>\n",
                number(x),
                number(base),
                attributes,
                escaped(words)));
    }

    /** Returns the document: what was drawn, on paper of a colour, with a title for readers who cannot see it. */
    public String document(int width, int height, int fontSize, String paper, String title) {
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"" + width + "\" height=\"" + height
                + "\" viewBox=\"0 0 " + width + " " + height + "\" font-family=\"" + FONTS + "\" font-size=\""
                + fontSize + "\">\n<title>" + escaped(title) + "</title>\n<rect width=\"100%\" height=\"100%\" fill=\""
                + paper + "\"/>\n" + strokes + "</svg>\n";
    }

    private static String number(double number) {
        String tenths = String.format(Locale.ROOT, "%.1f", number);
        return tenths.endsWith(".0") ? tenths.substring(0, tenths.length() - 2) : tenths;
    }

    private static String escaped(String words) {
        return words.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replaceAll("\\p{Cntrl}", " ");
    }
}
