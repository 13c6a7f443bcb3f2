package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Tensor;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.expression.Spelling;
import dev.attention4j.io.Safetensors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What reaches the terminal, and how wide it is. */
class TerminalTest {
    /** Rings the bell, turns all red, clears the screen by one C1 character, turns writing round. */
    private static final String HOSTILE = "a\u0007b\u001b[31mc\u009b2Jd\u202ee";

    @TempDir
    private Path folder;

    @Test
    void nothingThatSteersATerminalIsPrinted() {
        StringWriter written = new StringWriter();
        PrintWriter out = new PrintWriter(new PlainWriter(written), true);

        out.println(HOSTILE + "\rfaked\tnext\r\nline 2");

        assertThat(written.toString())
                .isEqualTo(
                        "a\\u0007b\\u001b[31mc\\u009b2Jd\\u202ee\\u000dfaked\tnext\r\nline 2" + System.lineSeparator());
    }

    @Test
    void namesOfTensorsAreHarmlessAndOnOneLine() throws IOException {
        Path file = folder.resolve("in.safetensors");
        String name = "x\u001b]0;owned\u0007\nattention4j: all is well";
        Safetensors.write(
                file,
                Map.of(
                        "query",
                        Tensor.random(1, 1, 1, 2, 4),
                        "key",
                        Tensor.random(2, 1, 1, 2, 4),
                        "value",
                        Tensor.random(3, 1, 1, 2, 4),
                        name,
                        Tensor.random(4, 1)),
                Map.of());

        Cli cli = Cli.run("attend", file, "--device", "cpu");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.err().lines()).hasSize(1);
        assertThat(cli.err())
                .doesNotContain("\u001b", "\u0007")
                .contains("\"x\\u001b]0;owned\\u0007\\u000aattention4j");
    }

    /** A report whose disk is full must not look like a report that says nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"devices", "--version", "attend --help"})
    void outputThatIsLostIsAnError(String command) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        words.addAll(List.of(command.split(" ", -1)));
        ProcessBuilder builder =
                new ProcessBuilder(words).redirectOutput(Path.of("/dev/full").toFile());
        // Without an OpenCL driver: it starts at once.
        builder.environment().put("OCL_ICD_VENDORS", folder.toString());
        Process process = builder.start();
        try (BufferedReader err = process.errorReader(StandardCharsets.UTF_8)) {
            assertThat(err.lines()).contains("attention4j: standard output cannot be written: No space left on device");
        }
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(Main.OUTPUT_LOST);
    }

    @Test
    void aFileThatCannotBeWrittenIsNamed() {
        Cli cli = Cli.run("conformance", "--case", "scale/zero", "--device", "cpu", "--junit", "/dev/full");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).isEqualTo("attention4j: /dev/full: cannot be written: No space left on device\n");
    }

    @Test
    void aFailureIsRemembered() {
        PlainWriter full = new PlainWriter(new Writer() {
            @Override
            public void write(char[] text, int from, int length) throws IOException {
                throw new IOException("No space left on device");
            }

            @Override
            public void flush() {
                // Nothing is kept.
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        });
        new PrintWriter(full, true).println("text");

        assertThat(full.failure()).get().extracting(IOException::getMessage).isEqualTo("No space left on device");
    }

    @Test
    void widthIsThatOfTheEnvironmentOrOfTheTerminal() {
        assertThat(Terminal.columns(Map.of(), Optional.empty())).isEqualTo(80);
        assertThat(Terminal.columns(Map.of("COLUMNS", "120"), Optional.of("24 100\n")))
                .isEqualTo(120);
        assertThat(Terminal.columns(Map.of(), Optional.of("24 100\n"))).isEqualTo(100);
        // A terminal of no size (a serial line, a container) says 0 0.
        assertThat(Terminal.columns(Map.of(), Optional.of("0 0\n"))).isEqualTo(80);
        assertThat(Terminal.columns(Map.of("COLUMNS", "wide"), Optional.empty()))
                .isEqualTo(80);
        assertThat(Terminal.columns(Map.of("COLUMNS", "10"), Optional.empty())).isEqualTo(60);
        assertThat(Terminal.columns(Map.of("COLUMNS", "99999"), Optional.empty()))
                .isEqualTo(200);
    }

    @Test
    void aDumbTerminalAndAFileGetNoBar() {
        assertThat(Terminal.drawsBars(Map.of("TERM", "xterm"), true)).isTrue();
        assertThat(Terminal.drawsBars(Map.of("TERM", "dumb"), true)).isFalse();
        assertThat(Terminal.drawsBars(Map.of("TERM", "xterm"), false)).isFalse();
    }

    @Test
    void longNamesAreCutWhereTheirPartsEnd() {
        assertThat(Text.wrap("pthread-skylake-avx512-Intel(R) Xeon(R) Processor", 30))
                .containsExactly("pthread-skylake-avx512-", "Intel(R) Xeon(R) Processor");
        assertThat(Text.wrap("x".repeat(12), 10)).containsExactly("x".repeat(10), "xx");
    }

    @Test
    void aLogGetsALineEachTenSeconds() {
        List<String> lines = new ArrayList<>();
        long[] seconds = {100};
        LongSupplier clock = () -> TimeUnit.SECONDS.toNanos(seconds[0]);
        try (Progress progress = new Progress("", 20, false, lines::add, clock)) {
            progress.max(40);
            progress.say("cpu");
            for (int n = 0; n < 30; n++) {
                seconds[0]++;
                progress.step();
            }
        }

        assertThat(lines)
                .containsExactly("10 of 40 after 10 s, cpu", "20 of 40 after 20 s, cpu", "30 of 40 after 30 s, cpu");
    }

    /** What a shell makes of the word is the text again. */
    @ParameterizedTest
    @ValueSource(
            strings = {"plain/a.b", "two words", "it's", "$HOME `x` \\ \"", "", "new\nline\ttab 'q' \u001b é", "*"})
    void linesToRunAgainCanBePasted(String text) throws IOException, InterruptedException {
        String word = Outcome.word(text);
        assertThat(word.lines().count()).isLessThanOrEqualTo(1);
        assertThat(word).doesNotContain("\u001b");
        Process shell = new ProcessBuilder("bash", "-c", "printf %s " + word).start();
        assertThat(new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .isEqualTo(text);
        assertThat(shell.waitFor()).isZero();
    }

    @Test
    void theProgramIsCalledAsItWasStarted() {
        assertThat(Text.program("my dir/a4j.jar", "my dir/a4j.jar devices")).isEqualTo("java -jar 'my dir/a4j.jar'");
        assertThat(Text.program("a.jar:b", "dev.attention4j.cli.Main devices"))
                .isEqualTo("java -cp a.jar:b dev.attention4j.cli.Main");
        assertThat(Text.program("x".repeat(300), "dev.attention4j.cli.Main devices"))
                .isEqualTo("java -jar target/attention4j-cli.jar");
    }

    @Test
    void onlyANearNameIsSuggested() {
        List<String> names = List.of("attend", "tune", "devices", "doctor");

        assertThat(Spelling.nearest("attned", names)).contains("attend");
        assertThat(Spelling.nearest("device", names)).contains("devices");
        assertThat(Spelling.nearest("TUNE", names)).contains("tune");
        assertThat(Spelling.nearest("serve", names)).isEmpty();
        assertThat(Suggestion.question("x", names)).isEmpty();
    }
}
