package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.Tuning;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.opencl.tuning.TuningEntry;
import dev.attention4j.opencl.tuning.UserTuning;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever lies where this user's tuning is kept, engines open and compute what they compute without it. */
class DamagedTuningTest {
    private static final String HEAD = "{\"format\":\"attention4j tuning 1\",\"entries\":";

    private final EngineInfo info = TestEngines.quickOpenCl().get(0);
    private final Tensor query = Tensor.random(1, 1, 2, 20, 24);
    private final Tensor decoding = query.slice(2, 0, 1);
    private final Tensor sequence = Tensor.random(2, 1, 5, 12);

    /** Built once for all tests. */
    @TempDir
    static Path programs;

    @TempDir
    private Path root;

    private Path file;

    @BeforeEach
    void inADirectoryOfItsOwn() throws IOException {
        file = root.resolve("private").resolve("tuning.json");
        // Made as this user's alone.
        UserTuning.of(Tuning.in(file)).prepare();
    }

    /** What an engine with the file computes, held to the oracle by a bound for float sums of two dozen numbers. */
    private void computesRight(String damage) {
        try (AttentionEngine engine = Engines.open(
                        info.id(),
                        TestEngines.options()
                                .withTuning(Tuning.in(file))
                                .withProgramCache(programs.resolve("private")));
                AttentionEngine oracle = AttentionEngine.open("oracle")) {
            for (Tensor rows : List.of(query, decoding)) {
                try (AttentionResult got = engine.attend(rows, query, query);
                        AttentionResult expected = oracle.attend(rows, query, query)) {
                    close(damage, got.output().toFloatArray(), expected.output().toFloatArray());
                }
            }
            try (MultiHeadAttention one = MultiHeadAttention.builder()
                            .heads(2)
                            .keyDim(8)
                            .seed(1)
                            .build(engine);
                    MultiHeadAttention other = MultiHeadAttention.builder()
                            .heads(2)
                            .keyDim(8)
                            .seed(1)
                            .build(oracle);
                    Tensor got = one.call(sequence, sequence);
                    Tensor expected = other.call(sequence, sequence)) {
                close(damage, got.toFloatArray(), expected.toFloatArray());
            }
        }
    }

    private static void close(String damage, float[] got, float[] expected) {
        for (int n = 0; n < expected.length; n++) {
            assertThat(Math.abs(got[n] - expected[n]))
                    .as("element " + n + " with " + damage)
                    .isLessThan(1e-5f);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "",
                " ",
                "[]",
                "17",
                "\"text\"",
                "{",
                "{}",
                "{\"format\":null}",
                "{\"format\":\"attention4j tuning 2\",\"entries\":[]}",
                HEAD + "null}",
                HEAD + "{}}",
                HEAD + "[null,17,[],{},{\"device\":null}]}",
                HEAD + "[{\"device\":[[[[{}]]]],\"gain\":1e999}]}"
            })
    void whatIsNoTuningIsIgnored(String content) throws IOException {
        Files.writeString(file, content);
        computesRight(content);
    }

    private List<TuningEntry> entries() {
        List<TuningEntry> entries = new ArrayList<>();
        try (AttentionEngine engine = TestEngines.open(info)) {
            OpenClEngine openCl = (OpenClEngine) engine;
            for (Tensor rows : List.of(query, decoding)) {
                AttentionProblem problem = AttentionProblem.of(rows, query, query, Attention.DEFAULT);
                for (Variant variant : openCl.variants(problem)) {
                    if (!variant.tunables().isEmpty()) {
                        entries.add(entry(ProblemClass.of(Workload.of(problem, false)), variant));
                        break;
                    }
                }
            }
            entries.add(
                    entry(ProblemClass.PROJECTIONS, openCl.projectionVariants().get(0)));
        }
        assertThat(entries).hasSize(3);
        return entries;
    }

    private TuningEntry entry(ProblemClass problems, Variant variant) {
        return new TuningEntry(
                info.name(),
                "a driver",
                LocalDate.parse("2026-11-30"),
                "auto",
                problems,
                variant,
                "a shape",
                1.25,
                1.1);
    }

    private String valid() throws IOException {
        for (TuningEntry entry : entries()) {
            UserTuning.of(Tuning.in(file)).put(entry);
        }
        computesRight("all in order");
        return Files.readString(file);
    }

    /** Also of plans whose tiles are never the default here. */
    @Test
    void tilesOfNothingAndOfTooMuchAreIgnored() throws IOException {
        String tiles =
                "ROW_ITEMS=4,COLUMN_ITEMS=8,MICRO_ROWS=4,MICRO_KEYS=4,DIM_SLICE=16,SLICE_KEYS=1,DIM_PASSES=1,PRODUCT_UNROLL=2";
        String rows = "VECTOR_WIDTH=8,ROW_VECTORS=2,KEY_TILE=4,DIM_TILE=4,KEY_BLOCK=96";
        String projected = "VECTOR_WIDTH=8,MICRO_ROWS=6,PANEL_VECTORS=2,TILES=8,PANELS=16,DEPTH=512";
        for (String variant : List.of("tiles:" + tiles, "rows:" + rows, "project_rows:" + projected)) {
            Variant right = Variant.parse(variant);
            for (String name : right.tunables().names()) {
                for (int value : new int[] {0, 65_536}) {
                    Variant wrong = Variant.parse(variant.replaceAll("\\b" + name + "=\\d+", name + "=" + value));
                    boolean projection = variant.startsWith("project");
                    Files.deleteIfExists(file);
                    for (Tensor rowsOfQuery : List.of(query, decoding)) {
                        ProblemClass problems = projection
                                ? ProblemClass.PROJECTIONS
                                : ProblemClass.of(Workload.of(
                                        AttentionProblem.of(rowsOfQuery, query, query, Attention.DEFAULT), false));
                        UserTuning.of(Tuning.in(file)).put(entry(problems, wrong));
                    }
                    computesRight(wrong.toString());
                }
            }
        }
    }

    /** A failing disk, an editor's slip, another program's file. */
    @Test
    void randomDamageIsIgnored() throws IOException {
        byte[] valid = valid().getBytes(StandardCharsets.UTF_8);
        String[] pieces = {
            "null", "0", "-1", "99999", "\"", "{", "}", "[", "]", ",", ":", "=", "\\u0000", "1e400", "true"
        };
        Random random = new Random(7);
        for (int round = 0; round < 60; round++) {
            byte[] damaged = valid.clone();
            String damage = "round " + round;
            if (round % 5 == 0) {
                damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
            } else {
                for (int n = random.nextInt(4); n >= 0; n--) {
                    int at = random.nextInt(damaged.length);
                    String text = new String(damaged, StandardCharsets.ISO_8859_1);
                    damaged = switch (random.nextInt(3)) {
                        case 0 -> {
                            byte[] flipped = damaged.clone();
                            flipped[at] ^= (byte) (1 << random.nextInt(8));
                            yield flipped;
                        }
                        case 1 ->
                            (text.substring(0, at) + pieces[random.nextInt(pieces.length)] + text.substring(at))
                                    .getBytes(StandardCharsets.ISO_8859_1);
                        default -> {
                            // A number of the tiles, which alone is read as nothing else.
                            Matcher numbers = Pattern.compile("(?<==)\\d+").matcher(text);
                            List<Integer> starts = new ArrayList<>();
                            while (numbers.find()) {
                                starts.add(numbers.start());
                            }
                            if (starts.isEmpty()) {
                                yield damaged;
                            }
                            int start = starts.get(random.nextInt(starts.size()));
                            int value = random.nextBoolean() ? random.nextInt(4) : random.nextInt(70_000);
                            yield (text.substring(0, start)
                                            + text.substring(start).replaceFirst("\\d+", "" + value))
                                    .getBytes(StandardCharsets.ISO_8859_1);
                        }
                    };
                }
            }
            Files.write(file, damaged);
            computesRight(damage + ": " + new String(damaged, StandardCharsets.ISO_8859_1));
        }
    }
}
