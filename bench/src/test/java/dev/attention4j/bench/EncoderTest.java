package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EncoderTest {
    @TempDir
    Path directory;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int encoder(String... args) {
        return Encoder.run(new PrintWriter(out), new PrintWriter(err), args);
    }

    @Test
    void printsHowSimilarSentencesAreAndWritesThePage() throws IOException {
        Path page = directory.resolve("heads.html");
        int code = encoder(
                "--device",
                "cpu",
                "--heads",
                page.toString(),
                "A man is eating food.",
                "A man is eating a piece of bread.",
                "The train left the station on time.");

        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        // The first two are 0.755 by the model's own card.
        assertThat(out.toString())
                .contains(
                        "on cpu (",
                        "   1  A man is eating food.",
                        "          1      2      3",
                        "   1  1.000  0.755",
                        "   2  0.755  1.000",
                        "closest  1 and 2 (0.755)",
                        "page     " + page);
        assertThat(out.toString().lines()).allMatch(line -> line.length() <= 80 || line.startsWith("page"));
        assertThat(Files.readString(page))
                .contains("A man is eating food.", "The train left the station on time.", "\"station\"", "layer 5");
    }

    @Test
    void columnsThatDoNotFitGoBelow() {
        String[] words = "--engine cpu one two three four five six seven eight nine ten eleven twelve".split(" ");
        assertThat(encoder(words)).isZero();
        assertThat(out.toString().lines()).contains("         11     12").allMatch(line -> line.length() <= 80);
    }

    @Test
    void badInputIsRefusedInOneLine() {
        refuses("SENTENCE");
        refuses("SENTENCE 2: is empty", "a word", " ");
        refuses("SENTENCE 1: \"Z\uFFFDrich\" did not arrive whole", "Z\uFFFDrich");
        refuses("--heads: " + directory, "--heads", directory.toString(), "a word");
        refuses("device: \"toaster\" names no engine", "--device", "toaster", "a word");
        refuses("--nothing", "--nothing", "a word");
    }

    private void refuses(String message, String... args) {
        err.getBuffer().setLength(0);
        assertThat(encoder(args)).isEqualTo(2);
        assertThat(err.toString()).startsWith("Encoder: ").contains(message).hasLineCount(1);
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void helpNamesEveryOption() {
        assertThat(encoder("--help")).isZero();
        assertThat(out.toString()).contains("SENTENCE", "--device", "--engine", "--heads", "Exit codes");
    }
}
