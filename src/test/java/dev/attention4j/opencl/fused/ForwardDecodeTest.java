package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The plan {@code decode} on sizes just below, at and above its blocks, splits, runs and row tiles, against the oracle. */
class ForwardDecodeTest {
    /** Around a run of four keys, a block of 512 and the least number of keys that is split. */
    private static final int[] KEYS = {1, 3, 4, 5, 511, 512, 513, 1023, 1025, 2100};

    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    private static AttentionEngine open(EngineInfo device) {
        return Engines.open(device.id(), TestEngines.options().withPlan(ForwardDecode.NAME));
    }

    private static void check(
            AttentionEngine engine, DType dtype, int group, int queries, int keys, int width, Attention attention) {
        Tensor query = Tensor.random(1, 2, 2L * group, queries, width).to(dtype);
        Tensor key = Tensor.random(2, 2, 2, keys, width).to(dtype);
        Tensor value = Tensor.random(3, 2, 2, keys, width + 1).to(dtype);
        assertThat(engine.explain(query, key, value, attention).plan()).isEqualTo(ForwardDecode.NAME);
        YardstickCheck.check(
                engine,
                query,
                key,
                value,
                attention,
                dtype + ", group " + group + ", " + queries + " queries, " + keys + " keys, width " + width);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void oneQueryOverAnyNumberOfKeys(EngineInfo device) {
        try (AttentionEngine engine = open(device)) {
            for (int keys : KEYS) {
                for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                    check(engine, dtype, 1, 1, keys, 19, Attention.DEFAULT);
                }
            }
        }
    }

    /** Rows of a group of heads share a key/value head, and are taken in tiles of 1, 2 or 4. */
    @ParameterizedTest
    @MethodSource("devices")
    void anyNumberOfRowsThatShareKeys(EngineInfo device) {
        try (AttentionEngine engine = open(device)) {
            for (int group : new int[] {1, 2, 3, 4, 8}) {
                for (int queries : new int[] {1, 2, 3, 5}) {
                    check(engine, DType.FLOAT32, group, queries, 600, 32, Attention.DEFAULT);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void optionsOnBothSidesOfASplit(EngineInfo device) {
        boolean[] attended = new boolean[1100];
        for (int key = 0; key < attended.length; key++) {
            attended[key] = key % 7 != 0;
        }
        Attention attention = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .window(700, 0)
                .mask(Tensor.of(attended, 1, 1, 1, attended.length))
                .softcap(5)
                .alibiSlopes(0.5f, 0.25f, 0.125f, 0.0625f)
                .logSumExp(true)
                .build();
        try (AttentionEngine engine = open(device)) {
            check(engine, DType.FLOAT32, 2, 3, attended.length, 24, attention);
        }
    }

    /** More rows are faster by lanes along the rows, from fewer of them on where each row and key is tested, by whatever. */
    @Test
    void masksOfEachKindLeaveFewerRowsToIt() {
        Attention mask = Attention.builder()
                .mask(Tensor.of(new boolean[12 * 90], 12, 90))
                .build();
        Attention maskIf = Attention.builder().maskIf("key % 3 != 0").build();
        Attention score = Attention.builder().score("score * 0.5").build();
        ClDevice device = Devices.find().devices().get(0);
        try (DeviceContext context = DeviceContext.open(device, null)) {
            ForwardDecode plan = new ForwardDecode(context);
            assertThat(plan.suits(rows(12, Attention.DEFAULT))).isTrue();
            assertThat(plan.suits(rows(12, score))).isTrue();
            assertThat(plan.suits(rows(12, mask))).isFalse();
            assertThat(plan.suits(rows(12, maskIf))).isFalse();
            assertThat(plan.suits(rows(8, maskIf))).isTrue();
        }
    }

    private static Workload rows(int queries, Attention attention) {
        return Workload.of(new AttentionProblem(1, 1, 1, queries, 90, 4, 4, DType.FLOAT32, attention), false);
    }
}
