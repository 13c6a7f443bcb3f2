package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.testing.LayerCheck;
import dev.attention4j.testing.PlainLayer;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The layer on every engine, against a plain implementation. */
class GroupQueryAttentionTest {
    private static final int[] ONE_AXIS = {1};

    static List<EngineInfo> engines() {
        TestEngines.openCl();
        return Engines.list();
    }

    static List<EngineInfo> hostEngines() {
        return Engines.list().stream().filter(info -> !info.isOpenCl()).toList();
    }

    private static GroupQueryAttention.Builder grouped(int queryHeads, int keyValueHeads) {
        return GroupQueryAttention.builder().headDim(5).queryHeads(queryHeads).keyValueHeads(keyValueHeads);
    }

    private static void check(
            EngineInfo info, GroupQueryAttention.Builder builder, AttentionInputs inputs, PlainLayer.Mask mask) {
        try (AttentionEngine engine = TestEngines.open(info);
                GroupQueryAttention layer = builder.build(engine)) {
            LayerCheck.randomise(layer, inputs, 3);
            LayerCheck.check(layer, inputs, ONE_AXIS, mask);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void severalQueryHeadsShareAKey(EngineInfo info) {
        boolean[] values = MultiHeadAttentionTest.random(5, 2 * 9);
        boolean[] queries = MultiHeadAttentionTest.random(6, 2 * 6);
        AttentionInputs inputs = AttentionInputs.builder()
                .query(Tensor.random(1, 2, 6, 12))
                .value(Tensor.random(2, 2, 9, 7))
                .queryMask(Tensor.of(queries, 2, 6))
                .valueMask(Tensor.of(values, 2, 9))
                .build();
        PlainLayer.Mask mask = (query, key, head) -> queries[query[0] * 6 + query[1]] && values[key[0] * 9 + key[1]];
        check(info, grouped(6, 2), inputs, mask);
        check(info, grouped(4, 1).bias(false), inputs, mask);
        check(info, grouped(3, 3).gate(true), inputs, mask);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void causalAndSlidingWindow(EngineInfo info) {
        Tensor input = Tensor.random(1, 2, 10, 12);
        AttentionInputs causal =
                AttentionInputs.builder().query(input).value(input).causal(true).build();
        check(info, grouped(4, 2), causal, (query, key, head) -> key[1] <= query[1]);
        check(
                info,
                grouped(4, 2).slidingWindow(3),
                causal,
                (query, key, head) -> key[1] <= query[1] && query[1] - key[1] < 3);
    }

    /**
     * Half precision is stored, not summed: the output is as near as its own rounding and that of the heads allow.
     * Which engine attends makes no difference to the layer, and devices have their own tests of it.
     */
    @ParameterizedTest
    @MethodSource("hostEngines")
    void halfPrecision(EngineInfo info) {
        for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
            Tensor input = Tensor.random(1, 1, 10, 12).to(dtype);
            AttentionInputs inputs =
                    AttentionInputs.builder().query(input).value(input).build();
            try (AttentionEngine engine = TestEngines.open(info);
                    GroupQueryAttention layer = grouped(4, 2).build(engine)) {
                LayerCheck.randomise(layer, inputs, 4);
                PlainLayer exact = PlainLayer.inDouble(
                        layer.weights().tensors(), input, input, input, ONE_AXIS, (query, key, head) -> true);
                Tensor output = layer.call(input, input);
                Assertions.assertThat(output.dtype()).isEqualTo(dtype);
                double step = dtype == DType.FLOAT16 ? 0x1p-10 : 0x1p-7;
                double[] got = output.toDoubleArray();
                for (int n = 0; n < got.length; n++) {
                    Assertions.assertThat(got[n])
                            .as(dtype + " at " + n)
                            .isCloseTo(exact.output[n], Assertions.within(4 * step * (1 + Math.abs(exact.output[n]))));
                }
            }
        }
    }
}
