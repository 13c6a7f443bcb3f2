package dev.attention4j.bench.training;

import dev.attention4j.bench.decoder.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Stream;

/** Words that a model writes letter by letter, through the key/value cache. */
final class InventedWords {
    private static final int LINE_WIDTH = 68;

    private InventedWords() {}

    /** Writes words side by side. */
    static List<String> write(Transformer model, List<String> letters, int count, Sampler sampler) {
        StringBuilder[] words = new StringBuilder[count];
        Arrays.setAll(words, n -> new StringBuilder());
        boolean[] ended = new boolean[count];
        int[] tokens = new int[count];
        int vocabulary = letters.size();
        try (CachedTransformer writer = CachedTransformer.open(model, count)) {
            while (writer.length() < model.shape().context()) {
                float[] scores = writer.next(tokens);
                for (int text = 0; text < count; text++) {
                    tokens[text] = ended[text] ? Texts.END : sampler.next(scores, text * vocabulary, vocabulary);
                    ended[text] |= tokens[text] == Texts.END;
                    words[text].append(letters.get(tokens[text]));
                }
            }
        }
        return Stream.of(words).map(StringBuilder::toString).toList();
    }

    /** Returns words, each once, in lines for a terminal. */
    static List<String> lines(List<String> words) {
        List<String> lines = new ArrayList<>();
        String line = "";
        for (String word : new LinkedHashSet<>(words)) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > LINE_WIDTH) {
                lines.add(line);
                line = "";
            }
            line = line.isEmpty() ? word : line + " " + word;
        }
        lines.add(line);
        return lines;
    }
}
