package dev.attention4j.bench.minilm;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Makes tokens of sentences, by the table that comes with the model. */
final class SentenceTokenizer implements AutoCloseable {
    private final HuggingFaceTokenizer tokenizer;

    private SentenceTokenizer(HuggingFaceTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Reads a tokenizer's table.
     *
     * @param in the content of {@code tokenizer.json}
     * @param longest how many tokens of a sentence there may be; the table's own limit and padding are not heeded
     * @throws IOException if it cannot be read
     */
    static SentenceTokenizer read(InputStream in, int longest) throws IOException {
        // Read once, when the library is loaded. Nothing is ever fetched: everything is on the class path.
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        return new SentenceTokenizer(HuggingFaceTokenizer.newInstance(
                in, Map.of("padding", "false", "truncation", "true", "maxLength", Integer.toString(longest))));
    }

    SentenceTokens tokenize(String sentence) {
        Encoding encoding = tokenizer.encode(sentence);
        return new SentenceTokens(
                sentence,
                Arrays.stream(encoding.getIds()).mapToObj(Math::toIntExact).toList(),
                List.of(encoding.getTokens()),
                encoding.exceedMaxLength());
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
