package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Keys and values are stored in types of their own, whatever query and output are, in every plan. */
class MixedStorageTest {
    private static final List<StorageTypes> MIXED = List.of(
            new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16),
            new StorageTypes(DType.FLOAT16, DType.FLOAT32, DType.BFLOAT16),
            new StorageTypes(DType.BFLOAT16, DType.FLOAT16, DType.FLOAT32));

    static Stream<Arguments> plans() {
        List<ClDevice> devices = Devices.find().devices();
        assertThat(devices).isNotEmpty();
        return devices.stream().flatMap(device -> Stream.of("rows", "decode", "tiles", "staged")
                .filter(plan -> !device.isEmulator() || plan.equals("decode"))
                .map(plan -> Arguments.of(device, plan)));
    }

    @ParameterizedTest
    @MethodSource("plans")
    void everyPlanReadsEachTensorInItsOwnType(ClDevice device, String plan) {
        Attention causal = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .logSumExp(true)
                .build();
        try (OpenClEngine engine = new OpenClEngine(
                OpenClProvider.info(device), device, TestEngines.options().withPlan(plan))) {
            for (StorageTypes types : MIXED) {
                Tensor key = Tensor.random(2, 1, 1, 70, 19).to(types.key());
                Tensor value = Tensor.random(3, 1, 1, 70, 35).to(types.value());
                // 2 queries, and 400: rows and tiles then read each key often, and rows widens all keys first.
                for (int queries : new int[] {2, 400}) {
                    Tensor query = Tensor.random(1, 1, 2, queries, 19).to(types.query());
                    YardstickCheck.check(engine, query, key, value, causal, plan + " " + types + ", " + queries);
                }
            }
        }
    }

    /** A value read exactly in its type and rounded once, to the query's. */
    @ParameterizedTest
    @MethodSource("plans")
    void outputHasTheTypeOfTheQuery(ClDevice device, String plan) {
        float third = 1f / 3;
        try (OpenClEngine engine = new OpenClEngine(
                OpenClProvider.info(device), device, TestEngines.options().withPlan(plan))) {
            Tensor query = Tensor.zeros(DType.FLOAT16, 1, 1, 3, 8);
            Tensor key = Tensor.zeros(DType.BFLOAT16, 1, 1, 1, 8);
            Tensor value = Tensor.of(new float[] {third, third, third, third}, 1, 1, 1, 4);
            try (AttentionResult result = engine.attend(query, key, value, Attention.DEFAULT)) {
                assertThat(result.output().dtype()).isEqualTo(DType.FLOAT16);
                // 1/3 to 11 bits, ties to even: 0x1.554p-2.
                assertThat(result.output().to(DType.FLOAT32).toFloatArray()).containsOnly(0x1.554p-2f);
            }
        }
    }

    @Test
    void otherTypesAreRefusedByName() {
        Tensor good = Tensor.random(1, 1, 1, 2, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionProblem.of(good, good, good.to(DType.INT64), Attention.DEFAULT))
                .withMessageStartingWith("value: type INT64, must be FLOAT32, FLOAT16, BFLOAT16, Q8_0 or Q4_0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionProblem.of(good, good.to(DType.FLOAT64), good, Attention.DEFAULT))
                .withMessageStartingWith("key: type FLOAT64, must be FLOAT32, FLOAT16, BFLOAT16, Q8_0 or Q4_0");
    }

    /** Bytes count each tensor in its own type: 2 heads of 3 queries and 5 keys, widths 4 and 8. */
    @Test
    void bytesFollowTheTypes() {
        AttentionProblem problem = new AttentionProblem(
                1, 2, 2, 3, 5, 4, 8, new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16), Attention.DEFAULT);
        assertThat(problem.bytes()).isEqualTo(4.0 * 2 * 3 * (4 + 8) + 2.0 * 2 * 5 * (4 + 8));
    }
}
