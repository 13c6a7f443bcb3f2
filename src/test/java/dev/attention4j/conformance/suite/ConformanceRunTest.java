package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.groups.Tuple.tuple;

import dev.attention4j.Attention;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineProvider;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.Safetensors;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.FaultyEngine;
import dev.attention4j.testing.FaultyProvider;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes wrong in a child JVM is reported, and the rest goes on. */
class ConformanceRunTest {
    /** Many times what the slowest case takes; the one that hangs takes all of it. */
    private static final Duration LIMIT = Duration.ofSeconds(15);

    private static final Selection QUICK = Selection.builtIn(true, Selection.DEFAULT_SEED);

    @TempDir
    private Path folder;

    private final List<Outcome> outcomes = new ArrayList<>();
    private final Map<String, Integer> trials = new HashMap<>();

    private final ConformanceRun.Listener listener = new ConformanceRun.Listener() {
        @Override
        public void begin(EngineInfo engine, List<String> plans, int count) {
            trials.merge(engine.id(), count, Integer::sum);
        }

        @Override
        public void end(Outcome outcome) {
            outcomes.add(outcome);
        }
    };

    @BeforeEach
    void offerFaultyEngines() throws IOException {
        Path services = Files.createDirectories(folder.resolve("META-INF/services"));
        Files.writeString(services.resolve(EngineProvider.class.getName()), FaultyProvider.class.getName());
    }

    private ConformanceRun run(Selection selection, String plan) {
        String classPath = folder + File.pathSeparator + System.getProperty("java.class.path");
        return new ConformanceRun(selection, plan, LIMIT, classPath);
    }

    @Test
    void faultsAreReportedAndTheRestGoesOn() {
        run(QUICK, ConformanceRun.ALL_PLANS).run(List.of(FaultyProvider.FAULTY), listener);

        assertThat(outcomes).hasSize(trials.get("faulty"));
        assertThat(outcomes)
                .extracting(one -> one.caseName() + " " + one.plan())
                .doesNotHaveDuplicates();
        // Two children share the plans, and nobody sees it.
        assertThat(outcomes.subList(0, 6))
                .extracting(Outcome::plan)
                .containsExactly(
                        FaultyEngine.RIGHT,
                        FaultyEngine.FAULTY,
                        FaultyEngine.DOOMED,
                        FaultyEngine.RIGHT,
                        FaultyEngine.FAULTY,
                        FaultyEngine.DOOMED);
        assertThat(of(FaultyEngine.RIGHT)).hasSizeGreaterThan(100).allMatch(one -> one.status() == Status.PASSED);

        List<Outcome> faults = of(FaultyEngine.FAULTY)
                .filter(one -> one.status() != Status.PASSED)
                .toList();
        assertThat(faults)
                .extracting(Outcome::caseName, Outcome::status)
                .containsExactly(
                        tuple(FaultyEngine.WRONG_CASE, Status.FAILED),
                        tuple(FaultyEngine.HANGING_CASE, Status.HUNG),
                        tuple(FaultyEngine.CRASHING_CASE, Status.CRASHED));
        assertThat(faults.get(0).detail()).startsWith("output: error 1.00e+03").contains("at [0, 0, 0, 3]: got 1000.0");
        assertThat(faults.get(0).reproduce()).isEqualTo("conformance --case scale/given --device faulty --plan faulty");
        assertThat(faults.get(1).detail()).isEqualTo("did not end within 15 s");
        assertThat(faults.get(2).detail()).matches("its process ended with exit code \\d+: crashed in .+");

        // Three crashes are enough: the plan is not run any more.
        List<Outcome> doomed = of(FaultyEngine.DOOMED)
                .filter(one -> one.status() != Status.PASSED)
                .toList();
        assertThat(doomed).filteredOn(one -> one.status() == Status.CRASHED).hasSize(3);
        assertThat(doomed)
                .filteredOn(one -> one.status() == Status.SKIPPED)
                .hasSizeGreaterThan(100)
                .allMatch(one -> one.detail().equals("not run: the plan crashed or hung too often"));
    }

    @Test
    void anEngineThatDoesNotOpenIsOneFailureAndTheNextIsRun() {
        Selection one = Selection.one("scale/zero");
        run(one, ConformanceRun.ALL_PLANS).run(List.of(FaultyProvider.LOST, FaultyProvider.FAULTY), listener);

        assertThat(outcomes).extracting(Outcome::engine).containsExactly("lost", "faulty", "faulty", "faulty");
        assertThat(outcomes.get(0).status()).isEqualTo(Status.CRASHED);
        assertThat(outcomes.get(0).detail())
                .startsWith("its process ended with exit code " + FaultyProvider.LOST_EXIT_CODE);
        assertThat(outcomes.get(0).reproduce()).isEqualTo("conformance --device lost --plan all");
        assertThat(outcomes.subList(1, 4)).allMatch(outcome -> outcome.status() == Status.PASSED);
    }

    @Test
    void anEngineThatDoesNotOpenIsOneFailureForAllOfItsLanes() {
        run(QUICK, ConformanceRun.ALL_PLANS).run(List.of(FaultyProvider.LOST), listener);

        assertThat(outcomes).extracting(Outcome::caseName).containsExactly("engine/opens-and-closes");
        assertThat(trials).containsExactly(Map.entry("lost", 1));
    }

    @Test
    void aFileThatCrashesTheDriverIsAFailureAndTheNextFileIsRun() throws IOException {
        Path cases = Files.createDirectory(folder.resolve("cases"));
        for (String softcap : List.of("0.01", "2")) {
            Attention attention =
                    Attention.builder().softcap(Double.parseDouble(softcap)).build();
            Map<String, String> metadata = Map.of(
                    "op", "attention", "name", "softcap " + softcap, "attributes", "{\"softcap\": " + softcap + "}");
            Safetensors.write(cases.resolve(softcap + ".safetensors"), CaseFiles.tensors(attention), metadata);
        }

        run(Selection.files(cases), FaultyEngine.FAULTY).run(List.of(FaultyProvider.FAULTY), listener);

        String crashing = cases.resolve("0.01.safetensors").toString();
        assertThat(outcomes)
                .extracting(Outcome::caseName, Outcome::status)
                .containsExactly(tuple(crashing, Status.CRASHED), tuple("softcap 2", Status.PASSED));
        assertThat(outcomes.get(0).detail()).matches("its process ended with exit code \\d+: crashed in .+");
        assertThat(outcomes.get(0).reproduce())
                .isEqualTo("conformance --cases " + Outcome.word(crashing) + " --device faulty --plan faulty");
        assertThat(outcomes.get(1).reproduce()).contains("2.safetensors --device faulty");
        assertThat(trials).containsExactly(Map.entry("faulty", 2));
    }

    @Test
    void aPlanThatAnEngineLacksIsNotRun() {
        run(Selection.one("scale/zero"), "no-such-plan").run(List.of(FaultyProvider.FAULTY), listener);

        assertThat(outcomes).isEmpty();
        assertThat(trials).containsExactly(Map.entry("faulty", 0));
    }

    @Test
    void badInputIsRefusedBeforeAnythingRuns() {
        assertThatThrownBy(() -> new ConformanceRun(Selection.one("no/such"), "all", LIMIT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("case: \"no/such\", must be the name of a case");
        assertThatThrownBy(() -> new ConformanceRun(QUICK, "all", Duration.ZERO))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("limit: ");
    }

    private Stream<Outcome> of(String plan) {
        return outcomes.stream().filter(one -> one.plan().equals(plan));
    }
}
