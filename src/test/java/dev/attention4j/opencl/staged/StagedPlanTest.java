package dev.attention4j.opencl.staged;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernels of the staged plan, and heads that are very long or very short. */
class StagedPlanTest {
    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    private static AttentionEngine open(EngineInfo info, EngineOptions options) {
        return AttentionEngine.open(info.id(), options.withPlan(StagedPlan.NAME));
    }

    /** The usual scratch memory is chosen for a cache: a row of scores may be longer. */
    @ParameterizedTest
    @MethodSource("devices")
    void aRowOfScoresMayBeLongerThanTheUsualScratch(EngineInfo info) {
        int keys = (32 << 20) / 4 + 100;
        Tensor query = Tensor.zeros(DType.FLOAT32, 1, 1, 1, 1);
        Tensor key = Tensor.zeros(DType.FLOAT32, 1, 1, keys, 1);
        Tensor value = Tensor.zeros(DType.FLOAT32, 1, 1, keys, 1);
        for (int n = 0; n < keys; n += 2) {
            value.floats().put(n, 4);
        }
        try (AttentionEngine engine = open(info, EngineOptions.DEFAULT);
                AttentionResult result = engine.attend(query, key, value)) {
            assertThat(result.output().toFloatArray()[0]).isCloseTo(2f, within(0.02f));
        }
        try (AttentionEngine engine = open(info, EngineOptions.DEFAULT.withMaxScratchBytes(32 << 20))) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.attend(query, key, value))
                    .withMessageContaining("a larger EngineOptions.maxScratchBytes");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void shortHeadsAreComputedInSmallTiles(EngineInfo info) {
        Attention attention =
                Attention.builder().weights(true).causal(Alignment.BOTTOM_RIGHT).build();
        try (AttentionEngine engine = open(info, TestEngines.options())) {
            for (int queries : new int[] {1, 8, 13, 16}) {
                for (int keys : new int[] {1, 7, 32}) {
                    Tensor query = Tensor.random(1, 2, 3, queries, 20);
                    Tensor key = Tensor.random(2, 2, 3, keys, 20);
                    Tensor value = Tensor.random(3, 2, 3, keys, 37);
                    if (info.kind() == EngineInfo.Kind.OPENCL_CPU) {
                        assertThat(engine.explain(query, key, value, attention).description())
                                .contains("four kernels, 8x");
                    }
                    YardstickCheck.check(engine, query, key, value, attention, queries + " queries, " + keys + " keys");
                }
            }
        }
    }

    private static Tensor everyThirdIsMasked(int count) {
        boolean[] attends = new boolean[count];
        for (int n = 0; n < count; n++) {
            attends[n] = n % 3 != 0;
        }
        return Tensor.of(attends, count);
    }

    /** Each kernel on lengths and widths that are no multiple of a tile, with all that can be done to a score. */
    @ParameterizedTest
    @MethodSource("devices")
    void everyKernelIsLaunchedAndRightWithAllOptions(EngineInfo info) {
        Attention all = Attention.builder()
                .softcap(3)
                .alibiSlopes(0.5f, 0.25f, 0.1f, 0.05f)
                .sinks(0.3f, -1, 2, Float.NEGATIVE_INFINITY)
                .bias(Tensor.random(5, 1, 4, 1, 131))
                .mask(everyThirdIsMasked(67 * 131).reshape(67, 131))
                .keyLengths(120, 131)
                .window(60, 3)
                .align(Alignment.BOTTOM_RIGHT)
                .weights(true)
                .logSumExp(true)
                .build();
        for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
            Tensor query = Tensor.random(1, 2, 4, 67, 18).to(dtype);
            Tensor key = Tensor.random(2, 2, 2, 131, 18).to(dtype);
            Tensor value = Tensor.random(3, 2, 2, 131, 70).to(dtype);
            List<ClEvent> events = new ArrayList<>();
            try (OpenClEngine engine = (OpenClEngine) open(info, TestEngines.options())) {
                engine.profileInto(events);
                YardstickCheck.check(engine, query, key, value, all, "all options, " + dtype);
                engine.profileInto(null);
                assertThat(events.stream().map(ClEvent::command))
                        .contains("scores", "scale_mask", "softmax", "weighted_sum", "unmark");
            } finally {
                events.forEach(ClEvent::close);
            }
        }
    }
}
