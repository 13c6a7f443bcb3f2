package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Values near the largest float: their mean is finite, and so is the output, though their sum is not. */
class LargeValuesTest {
    private static final float LARGE = 3.3e38f;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    @ParameterizedTest
    @MethodSource("plans")
    void meansAreFinite(EnginePlan enginePlan) {
        boolean slow = enginePlan.info().kind() == EngineInfo.Kind.EMULATOR;
        try (AttentionEngine engine = enginePlan.open()) {
            // Parts of a block, several blocks, several splits; more keys than an emulator's loops have iterations for.
            for (int keys : slow ? new int[] {2, 70} : new int[] {2, 70, 5000}) {
                for (int queries : new int[] {1, 40}) {
                    check(engine, enginePlan, DType.FLOAT32, keys, queries);
                }
            }
            if (!slow) {
                check(engine, enginePlan, DType.BFLOAT16, 70, 1);
            }
        }
    }

    /** Half of the dims are large, the others' values cancel out but for one key. */
    private static void check(AttentionEngine engine, EnginePlan enginePlan, DType dtype, int keys, int queries) {
        int dims = 20;
        float[] values = new float[keys * dims];
        for (int n = 0; n < values.length; n++) {
            values[n] = n % dims % 2 == 0 ? LARGE : n / dims % 2 == 0 ? LARGE : -LARGE;
        }
        float[] zeros = new float[keys];
        Tensor value = Tensor.of(values, 1, 1, keys, dims).to(dtype);
        try (AttentionResult result = engine.attend(
                Tensor.of(Arrays.copyOf(new float[] {1}, queries), 1, 1, queries, 1)
                        .to(dtype),
                Tensor.of(zeros, 1, 1, keys, 1).to(dtype),
                value,
                Attention.builder().scale(1).logSumExp(true).build())) {
            float large = value.toFloatArray()[0];
            float[] output = result.output().toFloatArray();
            for (int n = 0; n < output.length; n++) {
                double expected = n % dims % 2 == 0 ? large : keys % 2 == 0 ? 0 : large / keys;
                assertThat((double) output[n])
                        .as("%s %s, %d keys, dim %d", enginePlan, dtype, keys, n % dims)
                        .isCloseTo(expected, within(LARGE * 1e-5));
            }
            for (float logSumExp : result.logSumExp().toFloatArray()) {
                assertThat((double) logSumExp).isCloseTo(Math.log(keys), within(1e-5));
            }
        }
    }
}
