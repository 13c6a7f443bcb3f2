package dev.attention4j.opencl.backward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernels of gradients: which are launched, and right where tiles and blocks end, and where masked NaN meets them. */
class BackwardPlanTest {
    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    /** Computes gradients, checks them and returns the kernels that were launched. */
    private static List<String> check(
            EngineInfo info, Tensor q, Tensor k, Tensor v, Tensor g, Attention attention, GradientOptions options) {
        List<ClEvent> events = new ArrayList<>();
        try (OpenClEngine engine = (OpenClEngine) AttentionEngine.open(info.id(), TestEngines.options());
                AttentionTape tape = engine.attendForGradients(q, k, v, attention)) {
            engine.profileInto(events);
            try (AttentionGradients gradients = tape.gradients(g, options)) {
                engine.profileInto(null);
                GradientCall call = GradientCall.of(q, k, v, attention, tape.result(), g, options);
                assertThat(new GradientYardstick(call).measure(gradients)).allMatch(Deviation::isAllowed);
            }
            return events.stream().map(ClEvent::command).toList();
        } finally {
            events.forEach(ClEvent::close);
        }
    }

    /** More keys than a tile has and more queries than a block, of one head: the tiles are split over work-groups. */
    @ParameterizedTest
    @MethodSource("devices")
    void oneHeadIsSplit(EngineInfo info) {
        Tensor q = Tensor.random(1, 1, 1, 203, 40);
        Tensor k = Tensor.random(2, 1, 1, 331, 40);
        Tensor v = Tensor.random(3, 1, 1, 331, 23);
        Tensor g = Tensor.random(4, 1, 1, 203, 23);
        assertThat(check(info, q, k, v, g, Attention.causal(Alignment.BOTTOM_RIGHT), GradientOptions.DEFAULT))
                .containsExactly("backward_preprocess", "backward_key_value", "backward_query");
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsAskedForHasKernelsOfItsOwn(EngineInfo info) {
        Tensor q = Tensor.random(1, 2, 6, 67, 64);
        Tensor k = Tensor.random(2, 2, 3, 131, 64);
        Tensor g = Tensor.random(4, 2, 6, 67, 64);
        Attention attention = Attention.builder()
                .bias(Tensor.random(5, 6, 67, 131))
                .sinks(1, 0, -1, 2, 0.5f, 0)
                .alibiSlopes(0.5f, 0.25f, 0.1f, 0, 0.3f, 0.2f)
                .softcap(3)
                .build();
        GradientOptions all = GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes();
        // Heads enough for a device of few cores are not split: there is nothing to sum.
        assertThat(check(info, q, k, k, g, attention, all))
                .filteredOn(kernel -> !kernel.equals("backward_query"))
                .containsExactly(
                        "backward_preprocess",
                        "backward_key_value",
                        "backward_heads",
                        "backward_heads",
                        "backward_bias");
    }

    /** NaN in queries and gradients that are masked, and in keys and values that some rows do not attend to. */
    @ParameterizedTest
    @MethodSource("devices")
    void maskedNanIsLeftOut(EngineInfo info) {
        Tensor q = Tensor.random(1, 1, 2, 70, 20);
        Tensor k = Tensor.random(2, 1, 2, 90, 20);
        Tensor v = Tensor.random(3, 1, 2, 90, 20);
        Tensor g = Tensor.random(4, 1, 2, 70, 20);
        boolean[] attends = new boolean[70];
        Arrays.fill(attends, true);
        attends[3] = false;
        for (int d = 0; d < 20; d++) {
            for (int head = 0; head < 2; head++) {
                q.floats().put((head * 70 + 3) * 20 + d, Float.NaN);
                g.floats().put((head * 70 + 3) * 20 + d, Float.NaN);
                // Of the last keys under a causal mask only the last queries attend to the first of these.
                k.floats().put((head * 90 + 68) * 20 + d, Float.POSITIVE_INFINITY);
                v.floats().put((head * 90 + 69) * 20 + d, Float.NaN);
                k.floats().put((head * 90 + 80) * 20 + d, Float.NaN);
            }
        }
        Attention attention = Attention.builder()
                .causal(Alignment.TOP_LEFT)
                .queryMask(Tensor.of(attends, 1, 70))
                .build();
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionTape tape = engine.attendForGradients(q, k, v, attention);
                AttentionGradients gradients = tape.gradients(g)) {
            float[] dq = gradients.query().toFloatArray();
            float[] dk = gradients.key().toFloatArray();
            float[] dv = gradients.value().toFloatArray();
            for (int head = 0; head < 2; head++) {
                for (int row = 0; row < 70; row++) {
                    assertThat(Float.isNaN(dq[(head * 70 + row) * 20]))
                            .as("query " + row)
                            .isEqualTo(row >= 68);
                }
                for (int row = 70; row < 90; row++) {
                    assertThat(dk[(head * 90 + row) * 20]).as("key " + row).isZero();
                    assertThat(dv[(head * 90 + row) * 20]).as("value " + row).isZero();
                }
            }
        }
    }

    /** Inputs of 16 bits, a gradient of their type, and views whose rows are apart, on the device. */
    @ParameterizedTest
    @MethodSource("devices")
    void viewsOnTheDeviceAreReadWhereTheyLie(EngineInfo info) {
        Tensor q = Tensor.random(1, 1, 50, 4, 24).to(DType.FLOAT16);
        Tensor k = Tensor.random(2, 1, 70, 2, 24).to(DType.BFLOAT16);
        Tensor g = Tensor.random(4, 1, 50, 4, 24).to(DType.FLOAT16);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor onDevice = engine.upload(q);
                Tensor keys = engine.upload(k);
                Tensor gradient = engine.upload(g);
                AttentionTape tape = engine.attendForGradients(
                        onDevice.permute(0, 2, 1, 3),
                        keys.permute(0, 2, 1, 3),
                        keys.permute(0, 2, 1, 3),
                        Attention.DEFAULT);
                AttentionTape onHost = engine.attendForGradients(
                        q.permute(0, 2, 1, 3), k.permute(0, 2, 1, 3), k.permute(0, 2, 1, 3), Attention.DEFAULT);
                AttentionGradients there = tape.gradients(gradient.permute(0, 2, 1, 3));
                AttentionGradients here = onHost.gradients(g.permute(0, 2, 1, 3))) {
            assertThat(engine.download(there.query()).toFloatArray())
                    .isEqualTo(here.query().toFloatArray());
            assertThat(engine.download(there.key()).toFloatArray())
                    .isEqualTo(here.key().toFloatArray());
            GradientCall call = GradientCall.of(
                    q.permute(0, 2, 1, 3),
                    k.permute(0, 2, 1, 3),
                    k.permute(0, 2, 1, 3),
                    Attention.DEFAULT,
                    onHost.result(),
                    g.permute(0, 2, 1, 3),
                    GradientOptions.DEFAULT);
            assertThat(new GradientYardstick(call).measure(here)).allMatch(Deviation::isAllowed);
        }
    }
}
