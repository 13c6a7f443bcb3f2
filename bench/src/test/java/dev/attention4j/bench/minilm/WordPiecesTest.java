package dev.attention4j.bench.minilm;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.attention4j.cli.minilm.SentenceTokens;
import dev.attention4j.cli.minilm.WordPieces;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The word pieces beside those of Hugging Face's own tokenizer, from the same file. */
class WordPiecesTest {
    private static final String FILE = "/all-minilm-l6-v2-tokenizer.json";
    private static final int LONGEST = 512;
    private static final int RANDOM_TEXTS = 4000;

    /** Blocks of which random texts are made, from first to last. */
    private static final int[][] BLOCKS = {
        {0x20, 0x7E},
        {0x09, 0x0D},
        {0xA0, 0x17F},
        {0x300, 0x345},
        {0x370, 0x3FF},
        {0x400, 0x4FF},
        {0x5D0, 0x5EA},
        {0x621, 0x669},
        {0x900, 0x939},
        {0xE01, 0xE3A},
        {0x1E00, 0x1EFF},
        {0x2000, 0x206F},
        {0x20A0, 0x20BF},
        {0x2190, 0x21FF},
        {0x3001, 0x30FF},
        {0x4E00, 0x4FFF},
        {0xAC00, 0xACFF},
        {0xF900, 0xF93F},
        {0xFF01, 0xFF5E},
        {0x1D400, 0x1D4FF},
        {0x1F300, 0x1F5FF},
        {0x20000, 0x2000F}
    };

    private static HuggingFaceTokenizer reference;
    private static WordPieces pieces;

    @BeforeAll
    static void open() throws IOException {
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        try (InputStream in = WordPieces.class.getResourceAsStream(FILE)) {
            reference = HuggingFaceTokenizer.newInstance(
                    in, Map.of("padding", "false", "truncation", "true", "maxLength", Integer.toString(LONGEST)));
        }
        try (InputStream in = WordPieces.class.getResourceAsStream(FILE)) {
            pieces = WordPieces.read(in, LONGEST);
        }
    }

    @AfterAll
    static void close() {
        reference.close();
    }

    @Test
    void realAndOddSentencesHaveTheSamePieces() throws IOException {
        List<String> sentences = new ArrayList<>();
        try (InputStream in = WordPiecesTest.class.getResourceAsStream("sentences.txt")) {
            new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().forEach(sentences::add);
        }
        sentences.addAll(List.of(
                "",
                "[MASK] and [CLS] in [a] text [SEP][PAD][UNK]",
                "ΟΔΥΣΣΕΥΣ ΛΟΓΟΣ, İstanbul, ǅungla, straße, ﬁne",
                "e\u0301te\u0301 ﬀ \u00AD soft\u00ADhyphen \u200B zero\u200Bwidth \uFEFF bom",
                "tab\tnew\nline\rreturn\u000Bvertical\fform\u0085next\u00A0hard\u2028line\u3000wide",
                "a".repeat(100) + " " + "a".repeat(101) + " " + "é".repeat(100),
                "null\u0000char \uE000private \uD83D\uDE00",
                "$1,000.50 + 5% = `x`^2 ~ <tag> | \\ {}",
                "word ".repeat(600)));
        sentences.forEach(WordPiecesTest::assertSame);
    }

    @Test
    void randomTextsHaveTheSamePieces() {
        Random random = new Random(1);
        for (int n = 0; n < RANDOM_TEXTS; n++) {
            StringBuilder text = new StringBuilder();
            for (int length = random.nextInt(30); length > 0; length--) {
                int[] block = BLOCKS[random.nextInt(4) == 0 ? random.nextInt(BLOCKS.length) : 0];
                int character = block[0] + random.nextInt(block[1] - block[0] + 1);
                // What Unicode has not assigned yet depends on the version that a library knows.
                text.appendCodePoint(Character.isDefined(character) ? character : 'x');
            }
            assertSame(text.toString());
        }
    }

    private static void assertSame(String text) {
        Encoding expected = reference.encode(text);
        SentenceTokens actual = pieces.tokenize(text);
        assertThat(actual.tokens()).as(text).containsExactly(expected.getTokens());
        assertThat(actual.ids())
                .as(text)
                .isEqualTo(Arrays.stream(expected.getIds())
                        .mapToObj(Math::toIntExact)
                        .toList());
        assertThat(actual.isCut()).as(text).isEqualTo(expected.exceedMaxLength());
    }
}
