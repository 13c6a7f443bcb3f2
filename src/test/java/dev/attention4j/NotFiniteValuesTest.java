package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * NaN and infinity among the values, seen by some queries and hidden from others: they show where they are attended to, in
 * their own dim, and nowhere else. Kernels compute masked weights as 0, and 0 · NaN is NaN.
 */
class NotFiniteValuesTest {
    private static final int KEYS = 70;
    /** Whole vectors of every width, and elements after them. */
    private static final int VALUE_DIM = 37;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    @ParameterizedTest
    @MethodSource("plans")
    void showWhereTheyAreSeenAndNowhereElse(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            for (int queries : new int[] {3, KEYS}) {
                Tensor query = Tensor.random(1, 1, 1, queries, 20);
                Tensor key = Tensor.random(2, 1, 1, KEYS, 20);
                Tensor value = Tensor.random(3, 1, 1, KEYS, VALUE_DIM);
                float[] clean = attend(engine, query, key, value);
                for (int at : new int[] {1, KEYS - 3, KEYS - 2, KEYS - 1}) {
                    for (int dim : new int[] {3, VALUE_DIM - 1}) {
                        for (float number : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                            Tensor poisoned = Tensor.of(value.floats(), value.shape());
                            poisoned.floats().put(at * VALUE_DIM + dim, number);
                            check(attend(engine, query, key, poisoned), clean, queries, at, dim, number);
                        }
                    }
                }
            }
        }
    }

    /**
     * A key that counts shows its value, though its weight underflows, whatever else an operation masks; what a masked key
     * holds does not. 0 · ∞ is NaN, as in PyTorch.
     */
    @ParameterizedTest
    @MethodSource("plans")
    void showThoughTheWeightUnderflows(EnginePlan enginePlan) {
        boolean slow = enginePlan.info().kind() == EngineInfo.Kind.EMULATOR;
        try (AttentionEngine engine = enginePlan.open()) {
            for (DType dtype : slow ? List.of(DType.FLOAT32) : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                for (float score : new float[] {-200, -1000}) {
                    for (int queries : new int[] {1, 20}) {
                        checkUnderflow(engine, enginePlan, dtype, score, queries);
                    }
                }
            }
        }
    }

    private static void checkUnderflow(
            AttentionEngine engine, EnginePlan enginePlan, DType dtype, float score, int queries) {
        int counts = 5;
        int masked = 9;
        boolean[] attends = new boolean[KEYS];
        Arrays.fill(attends, true);
        attends[masked] = false;
        float[] biases = new float[KEYS];
        float[] masking = biases.clone();
        masking[masked] = Float.NEGATIVE_INFINITY;
        Map<String, Attention> operations = Map.of(
                "plain", Attention.builder().scale(1).build(),
                "bias of zeros",
                        Attention.builder()
                                .scale(1)
                                .bias(Tensor.of(biases, KEYS))
                                .build(),
                "mask",
                        Attention.builder()
                                .scale(1)
                                .mask(Tensor.of(attends, KEYS))
                                .build(),
                "bias",
                        Attention.builder()
                                .scale(1)
                                .bias(Tensor.of(masking, KEYS))
                                .build(),
                "key lengths", Attention.builder().scale(1).keyLengths(masked).build());
        float[] ones = new float[queries];
        Arrays.fill(ones, 1);
        float[] scores = new float[KEYS];
        scores[counts] = score;
        for (float number : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            operations.forEach((name, attention) -> {
                boolean masks = !name.contains("zeros") && !name.equals("plain");
                float[] values = new float[KEYS * VALUE_DIM];
                Arrays.fill(values, 1);
                values[counts * VALUE_DIM + 3] = number;
                values[counts * VALUE_DIM + VALUE_DIM - 1] = number;
                if (masks) {
                    values[masked * VALUE_DIM + 1] = number;
                    values[masked * VALUE_DIM + VALUE_DIM - 2] = number;
                }
                try (AttentionResult result = engine.attend(
                        Tensor.of(ones, 1, 1, queries, 1).to(dtype),
                        Tensor.of(scores, 1, 1, KEYS, 1).to(dtype),
                        Tensor.of(values, 1, 1, KEYS, VALUE_DIM).to(dtype),
                        attention)) {
                    float[] output = result.output().toFloatArray();
                    for (int n = 0; n < output.length; n++) {
                        int dim = n % VALUE_DIM;
                        String where = enginePlan + " " + dtype + ", " + name + ", " + number + " with a weight of e^"
                                + score + ", row " + n / VALUE_DIM + " of " + queries + ", dim " + dim;
                        if (dim == 3 || dim == VALUE_DIM - 1) {
                            assertThat(output[n]).as(where).isNaN();
                        } else {
                            assertThat(output[n]).as(where).isCloseTo(1, Offset.offset(1e-6f));
                        }
                    }
                }
            });
        }
    }

    private static float[] attend(AttentionEngine engine, Tensor query, Tensor key, Tensor value) {
        Attention causal = Attention.builder().causal(Alignment.BOTTOM_RIGHT).build();
        try (AttentionResult result = engine.attend(query, key, value, causal)) {
            return result.output().toFloatArray();
        }
    }

    private static void check(float[] got, float[] clean, int queries, int at, int dim, float number) {
        for (int n = 0; n < got.length; n++) {
            boolean seen = KEYS - queries + n / VALUE_DIM >= at;
            String where = number + " in key " + at + ", dim " + dim + "; row " + n / VALUE_DIM + " of " + queries
                    + ", dim " + n % VALUE_DIM;
            if (seen && n % VALUE_DIM == dim) {
                assertThat(got[n]).as(where).isEqualTo(Float.valueOf(number));
            } else {
                assertThat(got[n]).as(where).isCloseTo(clean[n], Offset.offset(1e-5f));
            }
        }
    }
}
