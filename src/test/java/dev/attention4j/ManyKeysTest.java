package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Errors do not grow with the number of keys: what a formula says of very many keys that are alike, on every engine and plan. */
class ManyKeysTest {
    /** Numbers that float does not hold exactly, in a whole vector of any width and after it. */
    private static final int VALUE_DIM = 17;

    private static final float LOWER = -0.1f;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(enginePlan -> enginePlan.info().kind() != EngineInfo.Kind.EMULATOR)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("plans")
    void aHundredThousand(EnginePlan enginePlan) {
        check(enginePlan, 131_072, 1, 2e-6);
        check(enginePlan, 131_072, 5, 2e-6);
    }

    @ParameterizedTest
    @MethodSource("plans")
    void aMillion(EnginePlan enginePlan) {
        check(enginePlan, 1 << 20, 1, 4e-6);
    }

    /** The first key's score is 0, that of all others lower, so that no weight but one is a power of two. */
    private static void check(EnginePlan enginePlan, int keys, int queries, double most) {
        float[] ones = new float[queries];
        Arrays.fill(ones, 1);
        float[] scores = new float[keys];
        Arrays.fill(scores, 1, keys, LOWER);
        float[] values = new float[keys * VALUE_DIM];
        for (int n = 0; n < values.length; n++) {
            values[n] = valueOf(n % VALUE_DIM);
        }
        Attention attention = Attention.builder().scale(1).logSumExp(true).build();
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult result = engine.attend(
                        Tensor.of(ones, 1, 1, queries, 1),
                        Tensor.of(scores, 1, 1, keys, 1),
                        Tensor.of(values, 1, 1, keys, VALUE_DIM),
                        attention)) {
            float[] output = result.output().toFloatArray();
            for (int n = 0; n < output.length; n++) {
                double expected = valueOf(n % VALUE_DIM);
                assertThat((double) output[n])
                        .as("%s, %d keys, dim %d", enginePlan, keys, n % VALUE_DIM)
                        .isCloseTo(expected, within(most * Math.abs(expected)));
            }
            for (float logSumExp : result.logSumExp().toFloatArray()) {
                assertThat((double) logSumExp)
                        .as("%s, %d keys, log-sum-exp", enginePlan, keys)
                        .isCloseTo(Math.log(1 + (keys - 1) * Math.exp(LOWER)), Offset.offset(most));
            }
        }
    }

    private static float valueOf(int dim) {
        return dim == 0 ? 0.1f : (float) Math.sin(dim);
    }
}
