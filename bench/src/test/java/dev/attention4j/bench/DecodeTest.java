package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class DecodeTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int decode(String... args) {
        return Decode.run(new PrintWriter(out), new PrintWriter(err), args);
    }

    private static String[] small(String... more) {
        String[] sizes = {
            "--layers", "2", "--width", "32", "--heads", "4", "--head-dim", "8", "--hidden", "48", "--vocabulary", "60"
        };
        String[] all = Arrays.copyOf(sizes, sizes.length + more.length);
        System.arraycopy(more, 0, all, sizes.length, more.length);
        return all;
    }

    @Test
    void printsSpeedAndTokens() {
        assertThat(decode(small("--texts", "2", "--prompt", "5", "--tokens", "6", "--cache", "bfloat16")))
                .isZero();
        assertThat(err.toString()).isEmpty();
        assertThat(out.toString().lines())
                .hasSize(7)
                .anyMatch(line -> line.matches("prompt    10 tokens in .* ms: .* tokens/s, attention \\d+ %"))
                .anyMatch(line -> line.matches("decoding  10 tokens in .* ms: .* tokens/s, a step .* attention \\d+ %"))
                .anyMatch(line -> line.matches("text 1    \\d+( \\d+){5}"));
    }

    /** The same seed gives the same tokens on plain Java. */
    @Test
    void tokensDoNotDependOnTheDevice() {
        assertThat(decode(small("--tokens", "4", "--cache", "float32"))).isZero();
        assertThat(decode(small("--tokens", "4", "--cache", "float32", "--device", "cpu")))
                .isZero();
        assertThat(out.toString().lines().filter(line -> line.startsWith("text 0")))
                .hasSize(2)
                .containsOnly(out.toString()
                        .lines()
                        .filter(line -> line.startsWith("text 0"))
                        .findFirst()
                        .orElseThrow());
    }

    @Test
    void refusesWhatCannotBe() {
        assertThat(decode("--tokens", "1")).isEqualTo(2);
        assertThat(decode("--cache", "int9")).isEqualTo(2);
        assertThat(decode("--heads", "3")).isEqualTo(2);
        assertThat(err.toString())
                .contains("Decode: --tokens: 1, must be 2 or more")
                .contains("Decode: --cache: \"int9\", must be one of [float32")
                .contains("Decode: heads: 3, must be a multiple of the 2 key/value heads");
    }
}
