package dev.attention4j.bench.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command on texts that are made here. */
class TrainTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private Path words;
    private Path colours;
    private Path numbers;

    @BeforeEach
    void write() throws IOException {
        words = folder.resolve("words");
        Files.write(words, IntStream.range(0, 200).mapToObj(TrainTest::word).toList());
        colours = fortunes("colours", "red", "green", "blue", "yellow");
        numbers = fortunes("numbers", "one", "two", "three", "four");
    }

    /** Consonants and vowels by turns. */
    private static String word(int number) {
        StringBuilder word = new StringBuilder();
        for (int rest = number + 7; rest > 0; rest /= 4) {
            word.append("bdgm".charAt(rest % 4)).append("aeiou".charAt((rest + number) % 5));
        }
        return word.toString();
    }

    private Path fortunes(String name, String... own) throws IOException {
        String texts = IntStream.range(0, 40)
                .mapToObj(n -> "The " + own[n % 4] + " thing, or the " + own[(n * 7 + 1) % 4] + " thing?\n\t\t-- Anon. "
                        + name + "\n")
                .collect(Collectors.joining("%\n"));
        return Files.writeString(folder.resolve(name), texts);
    }

    private int train(String... args) {
        String[] small = {
            "--device", "cpu", "--width", "16", "--heads", "2", "--batch", "8", "--steps", "12", "--invent", "5"
        };
        String[] all = Stream.concat(Arrays.stream(args), Arrays.stream(small)).toArray(String[]::new);
        return Train.run(new PrintWriter(out), new PrintWriter(err), all);
    }

    @Test
    void learnsWordsAndInventsSome() throws IOException {
        Path chart = folder.resolve("loss.svg");
        assertThat(train("words", "--text", words.toString(), "--chart", chart.toString(), "--pytorch"))
                .as(err.toString())
                .isZero();
        assertThat(out.toString().lines())
                .anyMatch(line -> line.matches("text      190 words to learn from, 10 held out; 10 letters .*"))
                .anyMatch(line -> line.matches("training  loss 2\\.\\d+ at first, .* 12 steps in .*"))
                .anyMatch(line -> line.matches("          largest difference over the first 12 steps .*e-0[5-9] .*"))
                .anyMatch(line -> line.matches("invented  5 words, .*; \\d are in the list, these are not:"));
        assertThat(Files.readString(chart)).contains("<svg", "attention4j", "PyTorch");
    }

    @Test
    void learnsClasses() {
        assertThat(train("texts", "--text", colours + "," + numbers, "--learning-rate", "0.01"))
                .as(err.toString())
                .isZero();
        assertThat(out.toString())
                .contains("64 texts to learn from, 16 held out", "accuracy  100.0 % of 16 held-out texts");
    }

    /** Weights, optimizer, losses: with dropout, stopped at 5 and 8. */
    @Test
    void resumedIsUninterrupted() throws IOException {
        Path whole = folder.resolve("whole.safetensors");
        Path parts = folder.resolve("parts.safetensors");
        for (String task : new String[] {"words", "texts"}) {
            String text = task.equals("words") ? words.toString() : colours + "," + numbers;
            assertThat(train(task, "--text", text, "--dropout", "0.2", "--checkpoint", whole.toString()))
                    .isZero();
            for (int[] part : new int[][] {{0, 5}, {5, 8}, {8, 12}}) {
                String[] args = {
                    task,
                    "--text",
                    text,
                    "--dropout",
                    "0.2",
                    "--checkpoint",
                    parts.toString(),
                    "--stop-after",
                    "" + part[1]
                };
                String[] resumed = part[0] == 0
                        ? args
                        : Stream.concat(Stream.of(args), Stream.of("--resume", parts.toString()))
                                .toArray(String[]::new);
                assertThat(train(resumed)).as(err.toString()).isZero();
            }
            assertThat(Files.readAllBytes(parts)).isEqualTo(Files.readAllBytes(whole));
            Map<String, Tensor> tensors = Safetensors.read(whole).tensors();
            assertThat(tensors)
                    .containsKeys("model/block.1.attention.query.kernel", "optimizer/tokens.exp_avg", "losses");
            assertThat(tensors.get("losses").elementCount()).isEqualTo(12);
        }
        assertThat(out.toString()).contains("resumed   after step 8");
    }

    @Test
    void refusesWhatCannotBe() {
        Path checkpoint = folder.resolve("seed.safetensors");
        assertThat(train("words", "--text", words.toString(), "--checkpoint", checkpoint.toString()))
                .isZero();
        String[][] bad = {
            {"poems"},
            {"words", "--text", folder.resolve("none").toString()},
            {"texts", "--text", colours.toString()},
            {"texts", "--text", words + "," + colours},
            {"words", "--text", words.toString(), "--resume", checkpoint.toString(), "--seed", "2"},
            {"words", "--text", colours.toString()},
            {"words", "--text", words.toString(), "--pytorch", "--dropout", "0.1"},
            {
                "words",
                "--text",
                words.toString(),
                "--chart",
                folder.resolve("loss.png").toString()
            },
            {"words", "--text", words.toString(), "--dropout", "1"},
        };
        for (String[] args : bad) {
            assertThat(train(args)).as(Arrays.toString(args)).isEqualTo(2);
        }
        assertThat(err.toString().lines())
                .hasSize(bad.length)
                .allMatch(line -> line.startsWith("Train: "))
                .anyMatch(line -> line.contains("TASK: poems, must be words or texts"))
                .anyMatch(line -> line.contains("--text: there is no file") && line.contains("package wamerican"))
                .anyMatch(line -> line.contains("must be two files or more, one for each class"))
                .anyMatch(line -> line.contains("has 1 texts, must have 10 or more, with a line % between two"))
                .anyMatch(line -> line.contains("seed.safetensors is of seed 1, must be of 2 as this training"))
                .anyMatch(line -> line.contains("has 0 words of 3 to 15 lower-case letters"))
                .anyMatch(line -> line.contains("--pytorch: with --dropout 0.1, must be with dropout 0"))
                .anyMatch(line -> line.contains("loss.png, must end in .svg"))
                .anyMatch(line -> line.contains("dropout: rate 1.0, must be 0 or more, and less than 1"));
    }
}
