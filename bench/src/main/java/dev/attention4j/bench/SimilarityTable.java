package dev.attention4j.bench;

import dev.attention4j.cli.minilm.SentenceTokens;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** How similar sentences are, for a terminal: the sentences by number, then a matrix of the numbers. */
final class SimilarityTable {
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
        out.println(
                String.format(Locale.ROOT, "closest  %d and %d (%.3f)", one + 1, other + 1, similarity(one, other)));
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
