package dev.attention4j.bench.training;

import java.util.Arrays;
import java.util.List;

/**
 * Texts that are computed together, each as long as the longest.
 *
 * @param texts how many
 * @param length tokens of each
 * @param tokens [texts, length]; 0 after the end of a shorter text
 * @param lengths of each text without what fills it up
 * @param targets the right answers: a decoder's after each token, [texts, length], {@link #NONE} after the end of a text; an
 *     encoder's class of each text
 */
@SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
public record Batch(int texts, int length, int[] tokens, int[] lengths, int[] targets) {
    /** No answer is wanted. */
    public static final int NONE = -1;

    /**
     * A text to learn from.
     *
     * @param tokens at least one
     * @param targets as many, or one class for all
     */
    public record Example(int[] tokens, int[] targets) {}

    /** Puts texts together. */
    public static Batch of(List<Example> examples) {
        int texts = examples.size();
        int length = examples.stream().mapToInt(one -> one.tokens.length).max().orElseThrow();
        boolean each = examples.get(0).targets.length == examples.get(0).tokens.length;
        int[] tokens = new int[texts * length];
        int[] lengths = new int[texts];
        int[] targets = new int[each ? texts * length : texts];
        Arrays.fill(targets, NONE);
        for (int text = 0; text < texts; text++) {
            Example one = examples.get(text);
            lengths[text] = one.tokens.length;
            System.arraycopy(one.tokens, 0, tokens, text * length, one.tokens.length);
            System.arraycopy(one.targets, 0, targets, each ? text * length : text, one.targets.length);
        }
        return new Batch(texts, length, tokens, lengths, targets);
    }
}
