package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionResult;
import dev.attention4j.BlockMask;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.GradientOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.FailingCalls;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.testing.TestEngines;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link InjectedFailures} in calls of attention, and while engines are opened. */
class InjectedFailuresTest extends InjectedFailures {
    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheStagedPlan(EngineInfo info) {
        Attention weights = everything.toBuilder().weights(true).build();
        try (OpenClEngine engine = open(info, plan("staged"))) {
            Set<String> struck = failEachOnce(engine, () -> call(engine, weights));
            if (info.kind() == EngineInfo.Kind.EMULATOR) {
                assertThat(struck).contains("clSetKernelArg");
                return;
            }
            assertThat(struck)
                    .contains("clSetKernelArg", "clEnqueueNDRangeKernel", "clFlush", "clWaitForEvents")
                    .anyMatch(name -> name.startsWith("clCreateBuffer"));
            if (!engine.context().sharesHostMemory()) {
                assertThat(struck)
                        .contains("clEnqueueWriteBuffer", "clEnqueueReadBuffer", "clEnqueueMarkerWithWaitList");
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheRowsPlan(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheTilesPlan(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("tiles"))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    /** A table of hidden blocks is found, kept while there is memory, and goes with the engine. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCallWithABlockMask(EngineInfo info) {
        Tensor keys = Tensor.random(5, 1, 1, 400, 4);
        Tensor queries = Tensor.random(6, 1, 1, 24, 4);
        boolean[] attends = new boolean[24 * 400];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % 400 / 50 == n / 400 % 8;
        }
        Tensor mask = Tensor.of(attends, 24, 400);
        try (OpenClEngine engine = open(info, plan("rows"))) {
            if (engine.context().device().quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
                assertThatThrownBy(() -> engine.attend(queries, keys, keys)).hasMessageContaining("(a bug)");
                return;
            }
            failEachOnce(engine, () -> {
                Attention attention =
                        Attention.builder().blockMask(BlockMask.of(mask)).build();
                try (AttentionResult first = engine.attend(queries, keys, keys, attention);
                        AttentionResult again = engine.attend(queries, keys, keys, attention)) {
                    assertThat(bytes(again.output())).isEqualTo(bytes(first.output()));
                    return bytes(first.output());
                }
            });
        }
        assertThat(Handle.live()).as(Handle::report).isZero();
    }

    /** The gradients of a call that has been made. */
    @ParameterizedTest
    @MethodSource("devices")
    void gradientsOfACall(EngineInfo info) {
        GradientOptions all = GradientOptions.DEFAULT
                .withBias()
                .withSinks()
                .withAlibiSlopes()
                .withLogSumExpGradient(Tensor.random(8, 2, 4, 9));
        Tensor outputGradient = Tensor.random(7, 2, 4, 9, 13);
        try (OpenClEngine engine = open(info, plan("rows"));
                AttentionResult result = engine.attend(query, key, value, everything)) {
            failEachOnce(engine, () -> {
                try (AttentionGradients gradients =
                        engine.gradients(query, key, value, everything, result, outputGradient, all)) {
                    return bytes(
                            gradients.query(),
                            gradients.key(),
                            gradients.value(),
                            gradients.bias(),
                            gradients.sinks(),
                            gradients.alibiSlopes());
                }
            });
        }
    }

    /** Gradients that are computed in Java, and brought to the device where the query is. */
    @ParameterizedTest
    @MethodSource("devices")
    void gradientsOfAParameter(EngineInfo info) {
        Attention scored = everything.toBuilder()
                .score("score * gain", ScoreParameters.NONE.with("gain", 0.5))
                .build();
        GradientOptions options = GradientOptions.DEFAULT.withBias().withSinks().withParameter("gain");
        Tensor outputGradient = Tensor.random(7, 2, 4, 9, 13);
        try (OpenClEngine engine = open(info, plan("staged"));
                Tensor queryThere = engine.upload(query);
                AttentionResult result = engine.attend(queryThere, key, value, scored)) {
            failEachOnce(engine, () -> {
                try (AttentionGradients gradients =
                                engine.gradients(queryThere, key, value, scored, result, outputGradient, options);
                        Tensor ofKey = engine.download(gradients.key());
                        Tensor ofGain = engine.download(gradients.parameter("gain"))) {
                    return bytes(ofKey, ofGain);
                }
            });
        }
    }

    /** One query over enough keys that they are split over work-groups and merged. */
    @ParameterizedTest
    @MethodSource("devices")
    void aStepOfDecodingInSplits(EngineInfo info) {
        Tensor one = Tensor.random(5, 1, 1, 1, 4);
        Tensor keys = Tensor.random(6, 1, 1, 1100, 4);
        try (OpenClEngine engine = open(info, plan("decode"))) {
            if (engine.context().device().quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
                assertThatThrownBy(() -> engine.attend(one, keys, keys)).hasMessageContaining("(a bug)");
                return;
            }
            failEachOnce(engine, () -> {
                try (AttentionResult result = engine.attend(one, keys, keys)) {
                    return bytes(result.output());
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallInSlices(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows").withMaxDeviceBytes(16_000))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallThatDoesNotWait(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> {
                try (AttentionResult result =
                        engine.attendAsync(query, key, value, everything).join()) {
                    return bytes(result.output(), result.logSumExp());
                }
            });
        }
    }

    /** What a caller hangs on the future of a call that fails runs beside the engine's threads. */
    @ParameterizedTest
    @MethodSource("devices")
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void afterACallThatDoesNotWaitTheNextMayBeWaitedFor(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            byte[] expected = call(engine, everything);
            try (FailingCalls failing = FailingCalls.nth(1, name -> name.equals("clWaitForEvents") && isLateEnough());
                    AttentionResult again = engine.attendAsync(query, key, value, everything)
                            .exceptionally(failure -> engine.attendAsync(query, key, value, everything)
                                    .join())
                            .join()) {
                assertThat(failing.struck()).isEqualTo("clWaitForEvents");
                assertThat(bytes(again.output(), again.logSumExp())).isEqualTo(expected);
            }
        }
    }

    /** Not before the caller has hung something on the future. */
    private static boolean isLateEnough() {
        try {
            Thread.sleep(200);
            return true;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tensorsThatGoThereAndComeBack(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> {
                try (Tensor queryThere = engine.upload(query);
                        Tensor keyThere = engine.upload(key);
                        Tensor valueThere = engine.upload(value);
                        AttentionResult result = engine.attend(queryThere, keyThere, valueThere, everything);
                        Tensor output = engine.download(result.output())) {
                    return bytes(output, result.logSumExp());
                }
            });
        }
    }

    /** While kernels are built, for which an engine must be new each time; a build fails alike for all plans. */
    @ParameterizedTest
    @MethodSource("devices")
    void aFirstCall(EngineInfo info) {
        Predicate<String> building =
                name -> name.startsWith("clCreateProgram") || name.startsWith("clBuild") || name.contains("Kernel(");
        byte[] expected;
        try (OpenClEngine engine = open(info, plan("staged"))) {
            expected = call(engine, everything);
        }
        Set<String> struck = new TreeSet<>();
        // An emulator's builds take seconds.
        for (int n = 1; ; n += info.kind() == EngineInfo.Kind.EMULATOR ? 4 : 1) {
            try (OpenClEngine engine = open(info, plan("staged"))) {
                String failed = failOnce(engine, n, building, expected, () -> call(engine, everything));
                if (failed.isEmpty()) {
                    break;
                }
                struck.add(failed);
            }
            assertThat(Handle.live()).as(Handle::report).isZero();
        }
        assertThat(struck).isNotEmpty();
        if (info.kind() != EngineInfo.Kind.EMULATOR) {
            assertThat(struck).contains("clBuildProgram", "clCreateKernel(scores)", "clCreateKernel(weighted_sum)");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void openingAnEngine(EngineInfo info) {
        Predicate<String> opening = name -> name.startsWith("clCreate");
        for (int n = 1; ; n++) {
            String failed;
            try (FailingCalls failing = FailingCalls.nth(n, opening)) {
                try (AttentionEngine engine = TestEngines.open(info)) {
                    assertThat(failing.struck()).as(engine.toString()).isEmpty();
                } catch (DeviceException e) {
                    checkSaysWhatFailed(e, failing.struck());
                }
                failed = failing.struck();
            }
            assertThat(Handle.live()).as(Handle::report).isZero();
            if (failed.isEmpty()) {
                assertThat(n).as("calls, and one more").isGreaterThan(2);
                return;
            }
        }
    }
}
