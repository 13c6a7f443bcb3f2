package dev.attention4j.cli.minilm;

import java.util.List;

/**
 * A sentence as the model reads it.
 *
 * @param ids the tokens' rows in the vocabulary; the first is [CLS], the last [SEP]
 * @param tokens the tokens as text; {@code ##} is before what continues a word
 */
public record SentenceTokens(String text, List<Integer> ids, List<String> tokens, boolean isCut) {
    /** Copies the lists. */
    public SentenceTokens {
        ids = List.copyOf(ids);
        tokens = List.copyOf(tokens);
    }

    /** The number of tokens; at least 2. */
    public int length() {
        return ids.size();
    }
}
