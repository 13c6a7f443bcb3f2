package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.PlanChoice;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tensors on the device, calls that do not wait, lifetimes and threads. */
class OpenClEngineTest {
    private final Tensor query = Tensor.random(1, 2, 4, 33, 20);
    private final Tensor key = Tensor.random(2, 2, 2, 40, 20);
    private final Tensor value = Tensor.random(3, 2, 2, 40, 24);
    private final Attention everything = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .weights(true)
            .logSumExp(true)
            .build();

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static void sameBits(AttentionResult one, AttentionResult other) {
        sameBits(one.output().toFloatArray(), other.output().toFloatArray());
        sameBits(one.weights().toFloatArray(), other.weights().toFloatArray());
        sameBits(one.logSumExp().toFloatArray(), other.logSumExp().toFloatArray());
    }

    private static void sameBits(float[] got, float[] expected) {
        int where = Arrays.mismatch(got, expected);
        assertThat(where)
                .as(() -> "at " + where + " of " + expected.length + ": got " + got[where] + ", expected "
                        + expected[where])
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aTensorGoesThereAndComesBack(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            Tensor there = engine.upload(query.permute(0, 2, 1, 3));
            assertThat(there.isOnHost()).isFalse();
            assertThat(there.memory().engine()).isSameAs(engine);
            assertThat(there.toString()).contains(info.name());
            Tensor back = engine.download(there);
            assertThat(back.isOnHost()).isTrue();
            assertThat(back.shape()).isEqualTo(there.shape());
            sameBits(back.toFloatArray(), query.permute(0, 2, 1, 3).toFloatArray());
            sameBits(
                    there.slice(1, 3, 5).toFloatArray(),
                    query.permute(0, 2, 1, 3).slice(1, 3, 5).toFloatArray());
            assertThatIllegalStateException().isThrownBy(there::bytes).withMessageContaining("download");
            there.close();
            there.close();
            assertThatIllegalStateException().isThrownBy(there::toFloatArray).withMessageContaining("closed");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tensorsOnTheDeviceGiveTheBitsOfTensorsOnTheHost(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            AttentionResult fromHost = engine.attend(query, key, value, everything);
            Tensor queryThere = engine.upload(query);
            Tensor keyThere = engine.upload(key);
            Tensor valueThere = engine.upload(value);
            AttentionResult there = engine.attend(queryThere, keyThere, valueThere, everything);
            assertThat(there.output().isOnHost()).isFalse();
            sameBits(there, fromHost);
            AttentionResult mixed = engine.attend(queryThere, key, valueThere, everything);
            assertThat(mixed.weights().isOnHost()).isFalse();
            sameBits(mixed, fromHost);
            AttentionResult home = engine.attend(query, keyThere, value, everything);
            assertThat(home.output().isOnHost()).isTrue();
            sameBits(home, fromHost);
            // The output of one call is the query of the next, and never leaves the device.
            Tensor next = engine.attend(there.output().slice(3, 0, 20), keyThere, valueThere)
                    .output();
            Tensor nextOnHost =
                    engine.attend(fromHost.output().slice(3, 0, 20), key, value).output();
            sameBits(next.toFloatArray(), nextOnHost.toFloatArray());
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void maskAndBiasMayBeOnTheDevice(EngineInfo info) {
        boolean[] allowed = new boolean[40];
        for (int n = 0; n < 40; n++) {
            allowed[n] = n % 3 != 0;
        }
        Tensor mask = Tensor.of(allowed, 40);
        Tensor bias = Tensor.random(9, 4, 1, 40);
        try (AttentionEngine engine = TestEngines.open(info)) {
            Attention onHost = everything.toBuilder().mask(mask).bias(bias).build();
            Attention there = everything.toBuilder()
                    .mask(engine.upload(mask))
                    .bias(engine.upload(bias))
                    .build();
            sameBits(engine.attend(query, key, value, there), engine.attend(query, key, value, onHost));
            Attention half = everything.toBuilder()
                    .bias(engine.upload(bias.to(DType.FLOAT16)))
                    .build();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.attend(query, key, value, half))
                    .withMessageContaining("bias");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tensorsOfAnotherEngineAreRefused(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionEngine other = TestEngines.open(info);
                AttentionEngine cpu = AttentionEngine.open("cpu")) {
            Tensor foreign = other.upload(key);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.attend(query, foreign, value))
                    .withMessageContaining("key: on " + info.id());
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> cpu.attend(query, foreign, value))
                    .withMessageContaining("key: a tensor on");
            assertThatIllegalArgumentException().isThrownBy(() -> engine.upload(foreign));
            assertThatIllegalArgumentException().isThrownBy(() -> engine.download(foreign));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aViewOnTheDeviceThatKernelsCannotReadIsRefusedByName(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            Tensor transposed = engine.upload(Tensor.random(8, 2, 2, 20, 40)).permute(0, 1, 3, 2);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.attend(query, transposed, value))
                    .withMessageContaining("key: a view on a device")
                    .withMessageContaining("of 40, must be 1");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void closingTheEngineClosesItsTensors(EngineInfo info) {
        AttentionEngine engine = TestEngines.open(info);
        Tensor there = engine.upload(query);
        AttentionResult result = engine.attend(there, key, value);
        engine.close();
        assertThat(there.isClosed()).isTrue();
        assertThat(result.output().isClosed()).isTrue();
        assertThatIllegalStateException().isThrownBy(() -> there.toFloatArray());
        result.close();
        there.close();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void callsThatDoNotWaitGiveTheSameBits(EngineInfo info) throws Exception {
        try (AttentionEngine engine = TestEngines.open(info)) {
            AttentionResult expected = engine.attend(query, key, value, everything);
            List<CompletableFuture<AttentionResult>> futures = new ArrayList<>();
            for (int n = 0; n < 20; n++) {
                futures.add(engine.attendAsync(query, key, value, everything));
            }
            for (CompletableFuture<AttentionResult> future : futures) {
                sameBits(future.get(), expected);
            }
            // A continuation that waits for another call must not stop the thread that ends calls.
            Tensor chained = engine.attendAsync(query, key, value, everything)
                    .thenApply(first -> engine.attendAsync(query, key, value, everything)
                            .join()
                            .output())
                    .get();
            sameBits(chained.toFloatArray(), expected.output().toFloatArray());
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void closingWaitsForCallsUnderWay(EngineInfo info) throws Exception {
        AttentionEngine engine = TestEngines.open(info);
        CompletableFuture<AttentionResult> future = engine.attendAsync(query, key, value, everything);
        engine.close();
        assertThat(future.get().output().toFloatArray()).doesNotContain(Float.NaN);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void repeatsGiveTheSameBits(EngineInfo info) {
        Tensor q = Tensor.random(4, 1, 2, 131, 40);
        Tensor k = Tensor.random(5, 1, 2, 203, 40);
        Tensor v = Tensor.random(6, 1, 2, 203, 33);
        try (AttentionEngine engine = TestEngines.open(info)) {
            AttentionResult expected = engine.attend(q, k, v, everything);
            for (int n = 0; n < (info.kind() == EngineInfo.Kind.EMULATOR ? 5 : 50); n++) {
                sameBits(engine.attend(q, k, v, everything), expected);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void eachStepIsTimedByTheDevice(EngineInfo info) {
        try (OpenClEngine engine = (OpenClEngine) TestEngines.open(info)) {
            List<ClEvent> events = new ArrayList<>();
            engine.profileInto(events);
            engine.attend(query, key, value, everything);
            engine.profileInto(null);
            assertThat(events)
                    .extracting(ClEvent::command)
                    .containsExactly("scores", "scale_mask", "softmax", "weighted_sum", "unmark");
            events.forEach(ClEvent::close);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whichPlanACallGetsDoesNotDependOnTheCallsBefore(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 1, 12, 8);
        Tensor key = Tensor.random(2, 1, 1, 600, 8);
        Attention masked =
                Attention.builder().mask(Tensor.zeros(DType.BOOL, 1, 600)).build();
        AttentionProblem plainProblem = AttentionProblem.of(query, key, key, Attention.DEFAULT);
        AttentionProblem maskedProblem = AttentionProblem.of(query, key, key, masked);
        try (AttentionEngine one = TestEngines.open(info);
                AttentionEngine other = TestEngines.open(info)) {
            PlanChoice first = one.explain(maskedProblem);
            PlanChoice plain = other.explain(plainProblem);
            assertThat(other.explain(maskedProblem)).isEqualTo(first);
            assertThat(one.explain(plainProblem)).isEqualTo(plain);
        }
    }
}
