package dev.attention4j.cli;

import dev.attention4j.Tensor;
import dev.attention4j.io.AttentionPage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.BiPredicate;
import java.util.stream.IntStream;

/**
 * A sentence in a model: its tokens and, for each layer, which token attends to which.
 *
 * @param layers the weights of all heads of each layer, [heads, tokens, tokens]
 */
record AttendedSentence(String text, List<String> tokens, List<Tensor> layers) {
    /** As many weights of a long sentence are printed. */
    private static final int MOST_LINES = 24;

    private static final int BAR = 40;

    /** Characters of a title. */
    private static final int TITLE = 60;

    /** The weight with which one token attends to another in a head; below 0 if there is no such pair. */
    record Look(int layer, int head, int from, int to, double weight) {}

    /** The weights of one head: [from][to]. */
    double[][] map(int layer, int head) {
        double[] weights = layers.get(layer).slice(0, head, head + 1).toDoubleArray();
        double[][] map = new double[tokens.size()][];
        for (int from = 0; from < map.length; from++) {
            map[from] = Arrays.copyOfRange(weights, from * map.length, (from + 1) * map.length);
        }
        return map;
    }

    /** The largest weight of all heads between two positions that are a pair. */
    Look largest(BiPredicate<Integer, Integer> isPair) {
        Look best = new Look(0, 0, 0, 0, -1);
        for (int layer = 0; layer < layers.size(); layer++) {
            for (int head = 0; head < layers.get(layer).size(0); head++) {
                double[][] map = map(layer, head);
                for (int from = 0; from < map.length; from++) {
                    for (int to = 0; to < map.length; to++) {
                        if (map[from][to] > best.weight && isPair.test(from, to)) {
                            best = new Look(layer, head, from, to, map[from][to]);
                        }
                    }
                }
            }
        }
        return best;
    }

    /** Prints the weights of one token in one head; {@code where} names the head. */
    void print(Look look, String where, PrintWriter out) {
        double[] row = map(look.layer, look.head)[look.from];
        String which = row.length <= MOST_LINES ? "The" : "The " + MOST_LINES + " largest";
        out.println(which + " weights of \"" + tokens.get(look.from) + "\" " + where + ":");
        out.println();
        int width = tokens.stream().mapToInt(String::length).max().orElse(1);
        IntStream.range(0, row.length)
                .boxed()
                .sorted(Comparator.comparing((Integer to) -> -row[to]))
                .limit(MOST_LINES)
                .sorted()
                .map(to -> String.format(
                        Locale.ROOT, "  %-" + width + "s %.3f  %s", tokens.get(to), row[to], Text.bar(row[to], BAR)))
                .forEach(line -> out.println(line.stripTrailing()));
        out.println();
    }

    private String title(String sentence) {
        return "Who attends to whom: \"" + sentence + "\"";
    }

    /** Draws a head, or says why not; {@code where} names the head. */
    void draw(Look look, String where, Path file, PrintWriter out) {
        String shortened = text.codePointCount(0, text.length()) <= TITLE
                ? text
                : text.substring(0, text.offsetByCodePoints(0, TITLE - 1)) + "…";
        try {
            HeatMap.write(title(shortened) + " (" + where + ")", tokens, map(look.layer, look.head), file);
            out.println("picture   " + file + " (all tokens of " + where + ")");
        } catch (IOException e) {
            out.println("picture   none, " + file + " cannot be written: " + Text.message(e));
            out.println("  fix     --picture FILE names a place that may be written");
        } catch (LinkageError | InternalError | RuntimeException e) {
            // A Java without fonts or without its graphics libraries throws one or another of these.
            out.println("picture   none could be drawn, this Java has no fonts: " + rootCause(e));
            out.println("  fix     apt-get install fontconfig fonts-dejavu-core");
        }
    }

    private static String rootCause(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        String message = String.valueOf(cause.getMessage()).strip();
        return cause.getClass().getSimpleName() + ": "
                + message.lines().findFirst().orElse("");
    }

    /** Writes the page with all heads, if there is to be one; the names of its layers begin with {@code layer 0}. */
    void writePage(Look look, String ofModel, String all, Path page, PrintWriter out) throws IOException {
        if (page == null) {
            return;
        }
        AttentionPage written = new AttentionPage(title(text), tokens, tokens);
        for (int layer = 0; layer < layers.size(); layer++) {
            written.layer("layer " + layer + ofModel, layers.get(layer));
        }
        OutputFile.write(page, written.firstLayer(look.layer).firstHead(look.head)::write);
        out.println("page      " + page + " (all tokens of all " + all + ", for a browser)");
    }
}
