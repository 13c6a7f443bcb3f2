package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.reference.ReferenceEngine;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.WrongEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConformanceSuiteTest {
    @TempDir
    Path folder;

    private final List<Outcome> outcomes = new ArrayList<>();

    @BeforeEach
    void cases() throws IOException {
        Map<String, Tensor> right = CaseFiles.tensors(Attention.DEFAULT);
        Safetensors.write(inside("b/right.safetensors"), right, Map.of("op", "attention", "name", "right"));
        Map<String, Tensor> wrong =
                CaseFiles.tensors(Attention.builder().scale(3).build());
        Safetensors.write(inside("b/wrong.safetensors"), wrong, Map.of("op", "attention", "name", "wrong"));
        Safetensors.write(inside("c.safetensors"), right, Map.of("op", "no.such.Op", "name", "other"));
        Files.writeString(inside("a/damaged.safetensors"), "not a case");
        Files.writeString(inside("notes.txt"), "not a case either");
    }

    @Test
    void aFolderIsRunWholeInOrder() throws IOException {
        ConformanceSuite suite = suite(EngineOptions.AUTO, ReferenceEngine.INFO);
        assertThat(suite.size()).isEqualTo(4);
        assertThat(suite.runs()).containsExactly("oracle auto");
        suite.run((source, outcome) -> outcomes.add(outcome));
        assertThat(outcomes)
                .extracting(Outcome::status)
                .containsExactly(Status.FAILED, Status.PASSED, Status.FAILED, Status.SKIPPED);
        String damaged = folder.resolve("a/damaged.safetensors").toString();
        assertThat(outcomes).extracting(Outcome::caseName).containsExactly(damaged, "right", "wrong", "other");
        assertThat(outcomes.get(0).detail()).startsWith(damaged + ": the header's length is ");
        assertThat(outcomes.get(2).detail()).startsWith("output.output: ").contains("output.weights: ");
    }

    @Test
    void theBuiltInCasesPassOnEveryEngineThatIsRightByEachOfItsPlans() {
        ConformanceSuite suite = ConformanceSuite.of(
                List.of(ConformanceCase.SENTENCES),
                List.of(Engines.resolve("oracle")),
                ConformanceSuite.ALL_PLANS,
                EngineOptions.DEFAULT);
        suite.run((source, outcome) -> outcomes.add(outcome));
        assertThat(outcomes).extracting(Outcome::status).containsExactly(Status.PASSED);
        assertThat(outcomes.get(0).plan()).isEqualTo(ReferenceEngine.PLAN);
    }

    @Test
    void aWrongEngineFailsAndTheNextIsRunAllTheSame() {
        builtIn(EngineOptions.AUTO, WrongEngine.INFO, ReferenceEngine.INFO)
                .run((source, outcome) -> outcomes.add(outcome));
        assertThat(outcomes).extracting(Outcome::status).containsExactly(Status.FAILED, Status.PASSED);
        assertThat(outcomes).extracting(Outcome::engine).containsExactly("wrong", "oracle");
        assertThat(outcomes.get(0).status()).isEqualTo(Status.FAILED);
    }

    @Test
    void aPlanIsRunWhereItIs() {
        assertThat(builtIn(ReferenceEngine.PLAN, WrongEngine.INFO, ReferenceEngine.INFO)
                        .runs())
                .containsExactly("oracle loops");
        assertThat(builtIn(ConformanceSuite.ALL_PLANS, WrongEngine.INFO, ReferenceEngine.INFO)
                        .runs())
                .containsExactly("wrong wrongly", "oracle loops");
        assertThatThrownBy(() -> builtIn("staged", WrongEngine.INFO, ReferenceEngine.INFO))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("plan: \"staged\", must be \"auto\", \"all\" or a plan of an engine: "
                        + "wrong has [wrongly]; oracle has [loops]");
    }

    @Test
    void anEngineThatDoesNotOpenIsAFailureOfEachCase() throws IOException {
        EngineInfo lost = new EngineInfo("lost", EngineInfo.Kind.GPU, "gone", "tests", "none", Map.of());
        for (String plan : List.of(EngineOptions.AUTO, ConformanceSuite.ALL_PLANS)) {
            outcomes.clear();
            suite(plan, lost).run((source, outcome) -> outcomes.add(outcome));
            assertThat(outcomes).hasSize(4).allMatch(outcome -> outcome.status() == Status.FAILED);
            assertThat(outcomes.get(0).detail()).isEqualTo("the engine could not be opened: the device was lost");
        }
    }

    @Test
    void noCasesIsNoSuccess() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> ConformanceSuite.find(empty))
                .isInstanceOf(FileFormatException.class)
                .hasMessage(empty + ": holds no file *.safetensors, must hold at least one");
        assertThatThrownBy(() -> ConformanceSuite.find(folder.resolve("none"))).isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> ConformanceSuite.of(List.of(), Engines.list(), "auto", EngineOptions.DEFAULT))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void oneFileIsAlsoASetOfCases() throws IOException {
        Path file = folder.resolve("b/right.safetensors");
        assertThat(ConformanceSuite.find(file))
                .extracting(ConformanceCase.Source::name)
                .containsExactly(file.toString());
    }

    private ConformanceSuite suite(String plan, EngineInfo... engines) throws IOException {
        return ConformanceSuite.of(
                ConformanceSuite.find(folder),
                List.of(engines),
                plan,
                EngineOptions.DEFAULT,
                ConformanceSuiteTest::open);
    }

    private static ConformanceSuite builtIn(String plan, EngineInfo... engines) {
        return ConformanceSuite.of(
                List.of(ConformanceCase.SENTENCES),
                List.of(engines),
                plan,
                EngineOptions.DEFAULT,
                ConformanceSuiteTest::open);
    }

    private static AttentionEngine open(EngineInfo info, EngineOptions options) {
        return switch (info.id()) {
            case "oracle" -> new ReferenceEngine(options);
            case "wrong" ->
                new WrongEngine(options, (problem, result) -> {
                    result.output().floats().put(0, 1e6f);
                    return result;
                });
            default -> throw new DeviceException("the device was lost");
        };
    }

    private Path inside(String path) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        return file;
    }
}
