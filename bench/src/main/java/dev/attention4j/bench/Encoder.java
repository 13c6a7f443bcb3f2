package dev.attention4j.bench;

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
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Encodes sentences with a real model, and prints how similar they are. */
@Command(
        name = "Encoder",
        description = "Encodes sentences with all-MiniLM-L6-v2, whose projections and attention are attention4j's, and"
                + " prints how similar each is to each: the cosine of their embeddings.",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "2:bad usage or input"})
public final class Encoder implements Callable<Integer> {
    private static final int OK = 0;

    @Spec
    private CommandSpec spec;

    @Parameters(
            arity = "1..*",
            paramLabel = "SENTENCE",
            description = "What to encode, each in quotes; behind -- where one begins with a hyphen.")
    private List<String> sentences;

    @Option(
            names = {"--device", "--engine"},
            paramLabel = "ID",
            defaultValue = Engines.BEST,
            description = "The engine: best, cpu, oracle, an index or id as 'devices' prints it, or a part of a"
                    + " device's name. Default: best.")
    private String device;

    @Option(
            names = "--heads",
            paramLabel = "FILE",
            description =
                    "Also write FILE, an HTML page with who attends to whom in each sentence, layer and head, to be"
                            + " opened in a browser.")
    private Path heads;

    private Encoder() {}

    /** Runs the encoder and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Launch.main(new Encoder(), args);
    }

    /** As {@link #main}, but gives the exit code. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return Launch.run(new Encoder(), out, err, args);
    }

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        for (int n = 0; n < sentences.size(); n++) {
            check(n + 1, sentences.get(n));
        }
        Compare.checkFile("--heads", heads);
        EngineInfo info = Engines.resolve(device);
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
                MiniLm model = MiniLm.load(engine)) {
            List<SentenceTokens> tokens =
                    sentences.stream().map(model::tokenize).toList();
            long start = System.nanoTime();
            float[][] embeddings = model.embed(tokens);
            double ms = (System.nanoTime() - start) / 1e6;
            out.println("all-MiniLM-L6-v2 on " + info.id() + " (" + info.name() + ")");
            out.println(String.format(Locale.ROOT, "encoded in %.0f ms", ms));
            out.println();
            new SimilarityTable(tokens, embeddings).print(out);
            if (heads != null) {
                writePage(model, tokens);
                out.println();
                out.println("page     " + heads + " (all tokens of all layers and heads, for a browser)");
            }
        }
        return OK;
    }

    private static void check(int number, String sentence) {
        if (sentence.isBlank()) {
            throw new IllegalArgumentException("SENTENCE " + number + ": is empty, must have a word");
        }
        // What the JVM puts for bytes that its locale cannot read.
        if (sentence.indexOf('\uFFFD') >= 0) {
            throw new IllegalArgumentException("SENTENCE " + number + ": \"" + sentence
                    + "\" did not arrive whole; LC_ALL=C.UTF-8 before java lets it take letters beyond ASCII");
        }
    }

    private void writePage(MiniLm model, List<SentenceTokens> sentences) throws IOException {
        AttentionPage page = new AttentionPage("Who attends to whom in all-MiniLM-L6-v2");
        for (SentenceTokens sentence : sentences) {
            page.text(sentence.text(), sentence.tokens(), sentence.tokens());
            List<Tensor> layers = model.attention(sentence);
            for (int layer = 0; layer < layers.size(); layer++) {
                page.layer("layer " + layer, layers.get(layer));
            }
        }
        page.write(heads);
    }

    /** How similar sentences are, for a terminal: the sentences by number, then a matrix of the numbers. */
    private static final class SimilarityTable {
        private static final int WIDTH = 80;
        private static final int LABEL = 4;
        private static final int CELL = 7;

        private final List<SentenceTokens> sentences;
        private final float[][] embeddings;

        /**
         * A table.
         *
         * @param embeddings [sentence][element], each of length 1
         */
        SimilarityTable(List<SentenceTokens> sentences, float[][] embeddings) {
            this.sentences = List.copyOf(sentences);
            this.embeddings = embeddings.clone();
        }

        /**
         * Prints it, with the two different sentences that are most alike below; columns that do not fit go below the
         * others.
         */
        void print(PrintWriter out) {
            for (int n = 0; n < sentences.size(); n++) {
                out.println(label(n) + "  " + shortened(sentences.get(n)));
            }
            int columns = (WIDTH - LABEL) / CELL;
            for (int first = 0; first < sentences.size(); first += columns) {
                out.println();
                printColumns(first, Math.min(first + columns, sentences.size()), out);
            }
            if (sentences.size() > 2) {
                out.println();
                printClosest(out);
            }
        }

        private void printColumns(int first, int end, PrintWriter out) {
            StringBuilder heading = new StringBuilder(" ".repeat(LABEL));
            for (int column = first; column < end; column++) {
                heading.append(String.format(Locale.ROOT, "%" + CELL + "d", column + 1));
            }
            out.println(heading);
            for (int row = 0; row < sentences.size(); row++) {
                StringBuilder line = new StringBuilder(label(row));
                for (int column = first; column < end; column++) {
                    line.append(String.format(Locale.ROOT, "%" + CELL + ".3f", similarity(row, column)));
                }
                out.println(line);
            }
        }

        private void printClosest(PrintWriter out) {
            int one = 0;
            int other = 1;
            for (int row = 0; row < sentences.size(); row++) {
                for (int column = row + 1; column < sentences.size(); column++) {
                    if (similarity(row, column) > similarity(one, other)) {
                        one = row;
                        other = column;
                    }
                }
            }
            out.println(String.format(
                    Locale.ROOT, "closest  %d and %d (%.3f)", one + 1, other + 1, similarity(one, other)));
        }

        private double similarity(int one, int other) {
            double sum = 0;
            for (int n = 0; n < embeddings[one].length; n++) {
                sum += (double) embeddings[one][n] * embeddings[other][n];
            }
            // Three digits are shown, and none of them is a minus before zero.
            return Math.round(1e3 * sum) / 1e3;
        }

        private static String label(int index) {
            return String.format(Locale.ROOT, "%" + LABEL + "d", index + 1);
        }

        private static String shortened(SentenceTokens sentence) {
            String note = sentence.isCut() ? " (only its first " + sentence.length() + " tokens)" : "";
            String text = sentence.text().strip().replaceAll("\\s+", " ");
            int room = WIDTH - LABEL - 2 - note.length();
            int[] characters = text.codePoints().toArray();
            return (characters.length <= room ? text : new String(characters, 0, room - 1) + "…") + note;
        }
    }
}
