package dev.attention4j.opencl.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.LocalDate;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which entry counts, and what of a file is believed. */
class TuningDatabaseTest {
    private static final String DEVICE = "A GPU";
    private static final String DRIVER = "2.0";
    private static final Workload PROBLEM = problem(DType.FLOAT32, 1024, 64, Attention.DEFAULT);

    @TempDir
    private Path root;

    private Path file;
    private UserTuning user;

    @BeforeEach
    void inTheUsersDirectory() {
        file = root.resolve("private").resolve("tuning.json");
        user = UserTuning.of(Tuning.in(file));
    }

    private static Workload problem(DType dtype, int length, int width, Attention attention) {
        return Workload.of(new AttentionProblem(1, 8, 8, length, length, width, width, dtype, attention), false);
    }

    private static TuningEntry entry(String driver, String day, String asked, String variant) {
        return new TuningEntry(
                DEVICE,
                driver,
                LocalDate.parse(day),
                asked,
                ProblemClass.of(PROBLEM),
                Variant.parse(variant),
                "1.8.8.1024.1024.64",
                1.25,
                1.1);
    }

    private static String fastest(List<TuningEntry> shipped, List<TuningEntry> users) {
        return TuningDatabase.of(shipped, users, DEVICE, DRIVER)
                .fastest(ProblemClass.of(PROBLEM))
                .map(found -> found.entry().variant() + ", " + found)
                .orElse("none");
    }

    @Test
    void theUsersEntryGoesOverTheShippedOne() {
        List<TuningEntry> shipped = List.of(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1"));
        List<TuningEntry> users = List.of(entry(DRIVER, "2026-11-01", "auto", "tiles:TILE=2"));

        assertThat(fastest(shipped, users))
                .isEqualTo("tiles:TILE=2, tuned on this device on 2026-11-01 with driver 2.0");
        assertThat(fastest(shipped, List.of()))
                .isEqualTo("tiles:TILE=1, tuned on such a device on 2026-11-02 with driver 2.0");
        assertThat(fastest(List.of(), List.of())).isEqualTo("none");
    }

    @Test
    void thisDriversEntryCountsElseTheNewest() {
        TuningEntry older = entry("1.0", "2026-10-01", "auto", "tiles:TILE=1");
        TuningEntry newer = entry("1.5", "2026-10-02", "auto", "tiles:TILE=2");
        TuningEntry same = entry(DRIVER, "2026-09-01", "auto", "tiles:TILE=3");

        assertThat(fastest(List.of(newer, same, older), List.of())).startsWith("tiles:TILE=3");
        assertThat(fastest(List.of(newer, older), List.of()))
                .isEqualTo("tiles:TILE=2, tuned on such a device on 2026-10-02 with driver 1.5, this is driver 2.0");
    }

    @Test
    void onlyTheDevicesOwnEntriesOfTheProblemsClassCount() {
        TuningDatabase database =
                TuningDatabase.of(List.of(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1")), List.of(), DEVICE, "1");

        assertThat(database.fastest(ProblemClass.of(problem(DType.FLOAT32, 5000, 40, Attention.DEFAULT))))
                .isPresent();
        Attention causal = Attention.builder().causal(Alignment.TOP_LEFT).build();
        for (Workload other : List.of(
                problem(DType.FLOAT16, 1024, 64, Attention.DEFAULT),
                problem(DType.FLOAT32, 512, 64, Attention.DEFAULT),
                problem(DType.FLOAT32, 1024, 65, Attention.DEFAULT),
                problem(DType.FLOAT32, 1024, 32, Attention.DEFAULT),
                problem(DType.FLOAT32, 1024, 64, causal))) {
            assertThat(database.fastest(ProblemClass.of(other)))
                    .as(other.toString())
                    .isEmpty();
        }
        assertThat(TuningDatabase.of(List.of(), List.of(entry(DRIVER, "2026-11-02", "auto", "a")), "Another", DRIVER)
                        .fastest(ProblemClass.of(PROBLEM)))
                .isEmpty();
    }

    @Test
    void whatWasAskedForIsAnsweredByItsOwnEntryElseByThatOfAllPlans() {
        TuningEntry all = entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1");
        TuningEntry own = entry(DRIVER, "2026-11-02", "tiles", "tiles:TILE=2");
        TuningDatabase both = TuningDatabase.of(List.of(all, own), List.of(), DEVICE, DRIVER);
        TuningDatabase one = TuningDatabase.of(List.of(all), List.of(), DEVICE, DRIVER);

        assertThat(both.fastestOf("tiles", ProblemClass.of(PROBLEM))
                        .orElseThrow()
                        .entry())
                .isEqualTo(own);
        assertThat(one.fastestOf("tiles", ProblemClass.of(PROBLEM))
                        .orElseThrow()
                        .entry())
                .isEqualTo(all);
        assertThat(one.fastestOf("rows", ProblemClass.of(PROBLEM))).isEmpty();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> entry(DRIVER, "2026-11-02", "rows", "tiles:TILE=2"))
                .withMessageContaining("must be \"rows\"");
    }

    @Test
    void classesEndWhereTheyShould() {
        assertThat(ProblemClass.of(problem(DType.FLOAT32, 16, 128, Attention.DEFAULT)))
                .hasToString("float32, widths 65-128, decode");
        assertThat(ProblemClass.of(problem(DType.BFLOAT16, 17, 257, Attention.DEFAULT)))
                .hasToString("bfloat16, widths 257-, short");
        Attention causal = Attention.causal(Alignment.TOP_LEFT);
        AttentionProblem wide = new AttentionProblem(1, 1, 1, 513, 4, 8, 33, DType.FLOAT16, causal);
        assertThat(ProblemClass.of(Workload.of(wide, false))).hasToString("float16, widths 33-64, long, causal");
    }

    @Test
    void whatIsKeptIsReadBack() throws IOException {
        TuningEntry first = entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1,STEP=16");
        TuningEntry plan = entry(DRIVER, "2026-11-02", "staged", "staged");
        user.put(first);
        user.put(plan);
        assertThat(user.read()).containsExactlyInAnyOrder(first, plan);
        assertThat(TuningDatabase.open(Tuning.in(file), DEVICE, DRIVER).fastest(ProblemClass.of(PROBLEM)))
                .isPresent();
        assertThat(TuningDatabase.open(Tuning.OFF, DEVICE, DRIVER).fastest(ProblemClass.of(PROBLEM)))
                .isEmpty();

        TuningEntry again = entry("3.0", "2026-11-05", "auto", "tiles:TILE=2,STEP=16");
        user.put(again);
        assertThat(user.read()).containsExactlyInAnyOrder(again, plan);
        assertThat(user.removeReplacedBy(first)).isTrue();
        assertThat(user.removeReplacedBy(first)).isFalse();
        assertThat(user.read()).containsExactly(plan);
        try (Stream<Path> files = Files.list(file.getParent())) {
            assertThat(files).containsExactlyInAnyOrder(file, file.resolveSibling("tuning.json.lock"));
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())))
                .isEqualTo("rwx------");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "no JSON at all",
                "{\"format\": \"attention4j tuning 2\", \"entries\": []}",
                "{\"format\": \"attention4j tuning 1\"}",
                "{\"format\": \"attention4j tuning 1\", \"entries\": 7}"
            })
    void aDamagedFileIsIgnoredAndNeverOverwritten(String content) throws IOException {
        user.put(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1"));
        Files.writeString(file, content);

        assertThat(user.read()).isEmpty();
        assertThat(TuningDatabase.open(Tuning.in(file), DEVICE, DRIVER).fastest(ProblemClass.of(PROBLEM)))
                .isEmpty();

        user.put(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=2"));
        assertThat(user.read()).hasSize(1);
        assertThat(file.resolveSibling("tuning.json.damaged")).hasContent(content);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"TILE=1\" | \"TILE=one\"",
                "\"TILE=1\" | \"TILE=1 -DX=1\"",
                "\"TILE=1\" | \"TILE=100000\"",
                "\"TILE=1\" | 1",
                "\"float32\" | \"float64\"",
                "\"33-64\" | \"33-65\"",
                "\"long\" | \"longest\"",
                "false | \"false\"",
                "\"2026-11-02\" | \"yesterday\"",
                "1.25 | 0",
                "1.25 | \"fast\"",
                "\"A GPU\" | \"\"",
                "\"driver\" | \"other\""
            })
    void anEntryThatMakesNoSenseIsLeftOutAndTheOthersCount(String good, String bad) throws IOException {
        user.put(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1"));
        user.put(entry(DRIVER, "2026-11-02", "staged", "staged"));
        String content = Files.readString(file);
        assertThat(content).contains(good);
        Files.write(
                file,
                content.replaceFirst(java.util.regex.Pattern.quote(good), bad).getBytes(StandardCharsets.UTF_8));

        assertThat(user.read()).extracting(TuningEntry::asked).containsExactly("staged");
    }

    @Test
    void whatOthersCanWriteIsNotBelieved() throws IOException {
        user.put(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1"));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
        assertThat(user.read()).isEmpty();

        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertThat(user.read()).hasSize(1);
        Files.setPosixFilePermissions(file.getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(user.read()).isEmpty();
    }

    @Test
    void aLinkIsNotFollowed() throws IOException {
        user.put(entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1"));
        Path link = file.resolveSibling("link.json");
        Files.createSymbolicLink(link, file);
        assertThat(UserTuning.of(Tuning.in(link)).read()).isEmpty();
    }

    @Test
    void aFileIsReadForTheDevicesThatItNames() {
        for (String name : List.of("NVIDIA H100", "a \"quoted\" \\ name", "\u00e9\t")) {
            TuningEntry one = entry(DRIVER, "2026-11-02", "auto", "tiles:TILE=1");
            TuningEntry named = new TuningEntry(
                    name,
                    one.driver(),
                    one.measured(),
                    one.asked(),
                    one.problems(),
                    one.variant(),
                    one.shape(),
                    one.milliseconds(),
                    one.gain());
            byte[] file = UserTuning.toJson(new UserTuning.Content(List.of(named), List.of()));
            assertThat(TuningDatabase.entries(file, name)).as(name).containsExactly(named);
        }
        byte[] damaged = "{ for this device".getBytes(StandardCharsets.UTF_8);
        assertThat(TuningDatabase.entries(damaged, "that device")).isEmpty();
        assertThatThrownBy(() -> TuningDatabase.entries(damaged, "this device"))
                .isInstanceOf(UncheckedIOException.class);
    }

    /** Also that those who contribute entries leave none that is ignored, or that another hides. */
    @Test
    void everyShippedEntryIsReadAndNoneIsThereTwice() throws IOException {
        List<TuningEntry> shipped = TuningDatabase.shipped();
        String text = Files.readString(Path.of("src/main/resources/dev/attention4j/opencl/tuning/tuning.json"));
        assertThat(shipped).hasSize(text.split("\"device\"", -1).length - 1);
        for (TuningEntry entry : shipped) {
            assertThat(shipped)
                    .filteredOn(other -> other.replaces(entry) && other.driver().equals(entry.driver()))
                    .hasSize(1);
        }
    }
}
