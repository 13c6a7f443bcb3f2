package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.Tuning;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.TestOption;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tiny problems are computed in Java where the device is this processor; RandomProblemsTest has the plan's options. */
class HostPlanTest {
    private static final EngineOptions OPTIONS = EngineOptions.DEFAULT.withTuning(Tuning.OFF);

    private final Tensor query = Tensor.random(1, 1, 4, 7, 16);
    private final Tensor key = Tensor.random(2, 1, 2, 9, 16);
    private final Tensor value = Tensor.random(3, 1, 2, 9, 24);

    private static List<EngineInfo> processors() {
        List<EngineInfo> processors = TestEngines.openCl().stream()
                .filter(info -> info.kind() == EngineInfo.Kind.OPENCL_CPU)
                .toList();
        assertThat(processors).isNotEmpty();
        return processors;
    }

    @Test
    void onlyADeviceThatIsThisProcessorHasIt() {
        for (EngineInfo info : TestEngines.openCl()) {
            try (AttentionEngine engine = Engines.open(info.id(), OPTIONS)) {
                assertThat(engine.plans().contains(HostPlan.NAME))
                        .as(info.id())
                        .isEqualTo(info.kind() == EngineInfo.Kind.OPENCL_CPU);
            }
        }
    }

    @Test
    void takesTinyProblemsAndSaysSo() {
        Attention attention = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .weights(true)
                .logSumExp(true)
                .build();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        for (EngineInfo info : processors()) {
            try (AttentionEngine engine = Engines.open(info.id(), OPTIONS)) {
                assertThat(engine.explain(problem).toString())
                        .startsWith("host (default for CPU-class devices): in Java");
                for (int n = 0; n < 2; n++) {
                    try (AttentionResult result = engine.attend(query, key, value, attention);
                            AttentionResult async = engine.attendAsync(query, key, value, attention)
                                    .join()) {
                        assertThat(result.plan()).isEqualTo(HostPlan.NAME);
                        assertThat(async.plan()).isEqualTo(HostPlan.NAME);
                        assertThat(result.output().isOnHost()).isTrue();
                        assertThat(async.output().toFloatArray())
                                .isEqualTo(result.output().toFloatArray());
                        assertThat(async.logSumExp().toFloatArray())
                                .isEqualTo(result.logSumExp().toFloatArray());
                        assertThat(async.weights().toFloatArray())
                                .isEqualTo(result.weights().toFloatArray());
                    }
                }
                YardstickCheck.check(engine, query, key, value, attention, "tiny on " + info.id());
            }
        }
    }

    /** Gradients of tiny problems launch no kernel either, but those of larger ones, on the device or with poison do. */
    @Test
    void takesGradientsOfTinyProblems() {
        Tensor large = Tensor.random(4, 1, 4, 70, 16);
        for (EngineInfo info : processors()) {
            try (OpenClEngine engine = (OpenClEngine) Engines.open(info.id(), OPTIONS);
                    OpenClEngine poisoned =
                            (OpenClEngine) Engines.open(info.id(), OPTIONS.with(TestOption.POISON, true));
                    Tensor there = engine.upload(query)) {
                assertThat(kernelsOfGradients(engine, query)).isZero();
                assertThat(kernelsOfGradients(engine, large)).isPositive();
                assertThat(kernelsOfGradients(engine, there)).isPositive();
                assertThat(kernelsOfGradients(poisoned, query)).isPositive();
            }
        }
    }

    /** Computes gradients of self-attention, checks them and returns how many kernels it took. */
    private static long kernelsOfGradients(OpenClEngine engine, Tensor x) {
        List<ClEvent> events = new ArrayList<>();
        try (AttentionTape tape = engine.attendForGradients(x, x, x, Attention.DEFAULT)) {
            engine.profileInto(events);
            try (AttentionGradients gradients = tape.gradients(x)) {
                engine.profileInto(null);
                GradientCall call =
                        GradientCall.of(x, x, x, Attention.DEFAULT, tape.result(), x, GradientOptions.DEFAULT);
                assertThat(x.isOnHost() ? new GradientYardstick(call).measure(gradients) : List.<Deviation>of())
                        .allMatch(Deviation::isAllowed);
            }
            return events.stream()
                    .filter(event -> event.command().startsWith("backward"))
                    .count();
        } finally {
            events.forEach(ClEvent::close);
        }
    }

    @Test
    void leavesLargerProblemsTensorsOnTheDeviceAndPoisonToKernels() {
        AttentionProblem larger = new AttentionProblem(1, 8, 8, 64, 64, 64, 64, DType.FLOAT32, Attention.DEFAULT);
        AttentionProblem tiny = AttentionProblem.of(query, key, value, Attention.DEFAULT);
        for (EngineInfo info : processors()) {
            try (AttentionEngine engine = Engines.open(info.id(), OPTIONS);
                    AttentionEngine poisoned = Engines.open(info.id(), OPTIONS.with(TestOption.POISON, true));
                    Tensor there = engine.upload(key);
                    AttentionResult result = engine.attend(query, there, value)) {
                assertThat(result.plan()).isNotEqualTo(HostPlan.NAME);
                assertThat(engine.explain(larger).plan()).isNotEqualTo(HostPlan.NAME);
                assertThat(poisoned.explain(tiny).plan()).isNotEqualTo(HostPlan.NAME);
            }
        }
    }

    @Test
    void askedForItComputesAnyProblemOfTensorsOnTheHostAndRefusesOthers() {
        Tensor longKey = Tensor.random(4, 1, 2, 3000, 16);
        Tensor longValue = Tensor.random(5, 1, 2, 3000, 24);
        for (EngineInfo info : processors()) {
            try (AttentionEngine engine = Engines.open(info.id(), OPTIONS.withPlan(HostPlan.NAME));
                    Tensor there = engine.upload(query)) {
                YardstickCheck.check(engine, query, longKey, longValue, Attention.DEFAULT, "long on " + info.id());
                assertThatExceptionOfType(UnsupportedPlanException.class)
                        .isThrownBy(() -> engine.attend(there, key, value))
                        .withMessageContaining("host")
                        .withMessageContaining("host memory, where all tensors of the call must be");
            }
        }
    }

    @Test
    void isNotAmongWhatIsTuned() {
        AttentionProblem tiny = AttentionProblem.of(query, key, value, Attention.DEFAULT);
        for (EngineInfo info : processors()) {
            try (OpenClEngine engine = (OpenClEngine) Engines.open(info.id(), OPTIONS)) {
                assertThat(engine.variants(tiny)).isNotEmpty().noneMatch(variant -> variant.plan()
                        .equals(HostPlan.NAME));
            }
        }
    }

    @Test
    void refusesCallsOnceItIsClosed() {
        for (EngineInfo info : processors()) {
            AttentionEngine engine = Engines.open(info.id(), OPTIONS);
            engine.attend(query, key, value).close();
            engine.close();
            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> engine.attend(query, key, value))
                    .withMessageContaining(info.id());
        }
    }
}
