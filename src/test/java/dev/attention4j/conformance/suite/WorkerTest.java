package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.conformance.suite.Event.Kind;
import dev.attention4j.io.Safetensors;
import dev.attention4j.reference.ReferenceEngine;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.WrongEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program of a child, run in this JVM. */
class WorkerTest {
    private static final Selection QUICK = Selection.builtIn(true, Selection.DEFAULT_SEED);
    private static final Selection SENTENCES = Selection.one("real/sentences");

    @TempDir
    private Path folder;

    private final List<Event> events = new ArrayList<>();

    private List<Outcome> run(
            Selection selection, String plan, EngineInfo info, Function<EngineOptions, AttentionEngine> opener)
            throws IOException {
        events.clear();
        Worker.Assignment all = new Worker.Assignment(info.id(), plan, selection, 0, 1, 0, List.of());
        new Worker(all, info, opener, events::add).run();
        assertThat(events.get(0).kind()).isEqualTo(Kind.READY);
        assertThat(events.get(events.size() - 1).kind()).isEqualTo(Kind.DONE);
        return events.stream()
                .filter(event -> event.kind() == Kind.ENDED)
                .map(Event::outcome)
                .toList();
    }

    private static AttentionEngine wrong(EngineOptions options) {
        return new WrongEngine(options, (problem, result) -> {
            result.output().floats().put(0, 1e6f);
            return result;
        });
    }

    private Selection files() throws IOException {
        Map<String, Tensor> right = CaseFiles.tensors(Attention.DEFAULT);
        Safetensors.write(inside("b/right.safetensors"), right, Map.of("op", "attention", "name", "right"));
        Map<String, Tensor> wrong =
                CaseFiles.tensors(Attention.builder().scale(3).build());
        Safetensors.write(inside("b/wrong.safetensors"), wrong, Map.of("op", "attention", "name", "wrong"));
        Safetensors.write(inside("c.safetensors"), right, Map.of("op", "no.such.Op", "name", "other"));
        Files.writeString(inside("a/damaged.safetensors"), "not a case");
        Files.writeString(inside("notes.txt"), "not a case either");
        return Selection.files(folder);
    }

    private Path inside(String path) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        return file;
    }

    @Test
    void aFolderIsRunWholeInOrder() throws IOException {
        List<Outcome> outcomes = run(files(), EngineOptions.AUTO, ReferenceEngine.INFO, ReferenceEngine::new);
        assertThat(outcomes)
                .extracting(Outcome::status)
                .containsExactly(Status.FAILED, Status.PASSED, Status.FAILED, Status.SKIPPED);
        String damaged = folder.resolve("a/damaged.safetensors").toString();
        assertThat(outcomes).extracting(Outcome::caseName).containsExactly(damaged, "right", "wrong", "other");
        assertThat(outcomes).extracting(Outcome::feature).containsExactly(damaged, "right", "wrong", "other");
        assertThat(outcomes.get(0).detail()).startsWith("the header's length is ");
        assertThat(outcomes.get(2).detail()).startsWith("output.output: ").contains("output.weights: ");
        assertThat(outcomes.get(3).detail()).isEqualTo("op no.such.Op is not known to this version");
        assertThat(outcomes.get(2).reproduce())
                .isEqualTo("conformance --cases "
                        + Outcome.word(inside("b/wrong.safetensors").toString()) + " --device oracle --plan auto");
    }

    @Test
    void realSentencesPassOnTheOracleAndFailOnAnEngineThatErrs() throws IOException {
        List<Outcome> right = run(SENTENCES, ConformanceRun.ALL_PLANS, ReferenceEngine.INFO, ReferenceEngine::new);
        assertThat(right).extracting(Outcome::status).containsExactly(Status.PASSED);
        assertThat(right.get(0).plan()).isEqualTo(ReferenceEngine.PLAN);
        List<Outcome> wrong = run(SENTENCES, EngineOptions.AUTO, WrongEngine.INFO, WorkerTest::wrong);
        assertThat(wrong).extracting(Outcome::status).containsExactly(Status.FAILED);
        assertThat(wrong.get(0).detail())
                .contains("output: error 1.00e+06", "output.output: 1 of 16896 elements wrong");
    }

    @Test
    void aPlanIsRunWhereItIs() throws IOException {
        assertThat(run(SENTENCES, ReferenceEngine.PLAN, WrongEngine.INFO, WorkerTest::wrong))
                .isEmpty();
        assertThat(events.get(0).plans()).isEmpty();
        assertThat(run(SENTENCES, ConformanceRun.ALL_PLANS, WrongEngine.INFO, WorkerTest::wrong))
                .hasSize(1);
        assertThat(events.get(0).plans()).containsExactly(WrongEngine.PLAN);
    }

    @Test
    void anEngineThatDoesNotOpenIsAFailureOfEachCase() throws IOException {
        EngineInfo lost = new EngineInfo("lost", EngineInfo.Kind.GPU, "gone", "tests", "none", Map.of());
        Function<EngineOptions, AttentionEngine> opener = options -> {
            throw new DeviceException("the device was lost");
        };
        List<Outcome> outcomes = run(files(), EngineOptions.AUTO, lost, opener);
        assertThat(outcomes).hasSize(4).allMatch(outcome -> outcome.status() == Status.FAILED);
        assertThat(outcomes.get(1).detail()).isEqualTo("the engine could not be opened: the device was lost");
        assertThatThrownBy(() -> run(SENTENCES, ConformanceRun.ALL_PLANS, lost, opener))
                .isInstanceOf(DeviceException.class);
    }

    private static Worker.Assignment lane(int lane, int lanes) {
        return new Worker.Assignment(
                "opencl:0", ConformanceRun.ALL_PLANS, QUICK, lane, lanes, 7, List.of("rows", "tiles"));
    }

    @Test
    void anAssignmentArrivesAsItWasSent() throws IOException {
        for (Selection selection : List.of(QUICK, SENTENCES, Selection.files(Path.of("a folder", "é")))) {
            Worker.Assignment sent =
                    new Worker.Assignment("opencl:0", "rows", selection, 1, 2, 7, List.of("rows", "tiles"));
            assertThat(JSON.std.beanFrom(Worker.Assignment.class, JSON.std.asString(sent)))
                    .isEqualTo(sent);
        }
    }

    @Test
    void everyTrialIsOfOneLane() {
        for (EngineInfo.Kind kind : EngineInfo.Kind.values()) {
            for (int lanes = 1; lanes <= 3; lanes++) {
                for (int plans = 1; plans <= 5; plans++) {
                    for (int trial = 0; trial < 6 * plans; trial++) {
                        int count = lanes;
                        int ofAll = plans;
                        int number = trial / plans;
                        int plan = trial % plans;
                        assertThat(IntStream.range(0, lanes)
                                        .filter(lane -> lane(lane, count).takes(kind, number, plan, ofAll)))
                                .as("trial %s of %s plans on %s lanes, %s", trial, plans, lanes, kind)
                                .hasSize(1);
                    }
                }
            }
        }
    }

    @Test
    void lanesShareCasesOnEmulatorsAndPlansElsewhere() {
        assertThat(IntStream.range(0, 4).filter(plan -> lane(0, 2).takes(EngineInfo.Kind.OPENCL_CPU, 5, plan, 4)))
                .containsExactly(0, 1);
        assertThat(IntStream.range(0, 4).filter(plan -> lane(1, 2).takes(EngineInfo.Kind.EMULATOR, 5, plan, 4)))
                .containsExactly(0, 1, 2, 3);
    }
}
