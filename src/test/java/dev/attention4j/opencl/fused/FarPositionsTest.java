package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Distances between positions that no float holds: a short sequence, packed behind 2^24 keys and one more. */
class FarPositionsTest {
    private static final int FAR = (1 << 24) + 1;
    private static final int LENGTH = 64;

    /** Not staged, whose matrix of scores would be of all keys; its distances are integers. */
    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.quickOpenCl()).stream()
                .filter(enginePlan -> !enginePlan.plan().equals("staged"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("plans")
    void alibiIsExactThere(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 1, 1, LENGTH, 1).to(DType.FLOAT16);
        Tensor key = Tensor.zeros(DType.FLOAT16, 1, 1, FAR + LENGTH, 1);
        Tensor value = Tensor.zeros(DType.FLOAT16, 1, 1, FAR + LENGTH, 1);
        Tensor ownKeys = Tensor.random(2, 1, 1, LENGTH, 1).to(DType.FLOAT16);
        Tensor ownValues = Tensor.random(3, 1, 1, LENGTH, 1).to(DType.FLOAT16);
        key.bytes().put(2 * FAR, ownKeys.bytes(), 0, 2 * LENGTH);
        value.bytes().put(2 * FAR, ownValues.bytes(), 0, 2 * LENGTH);
        Attention alone = Attention.builder().alibiSlopes(0.5f).logSumExp(true).build();
        Attention packed = alone.toBuilder()
                .cumulativeLengths(new int[] {0, 0, LENGTH}, new int[] {0, FAR, FAR + LENGTH})
                .build();
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult expected = engine.attend(query, ownKeys, ownValues, alone);
                AttentionResult result = engine.attend(query, key, value, packed)) {
            for (int row = 0; row < LENGTH; row++) {
                assertThat(result.logSumExp().get(0, 0, row))
                        .as("row " + row)
                        .isCloseTo(expected.logSumExp().get(0, 0, row), within(1e-5));
                assertThat(result.output().get(0, 0, row, 0))
                        .as("row " + row)
                        .isCloseTo(expected.output().get(0, 0, row, 0), within(2e-3));
            }
        }
    }
}
