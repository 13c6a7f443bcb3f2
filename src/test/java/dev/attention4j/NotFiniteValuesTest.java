package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * NaN and infinity among the values, seen by some queries and hidden from others: they show where they are attended to, in
 * their own dim, and nowhere else. Kernels compute masked weights as 0, and 0 · NaN is NaN.
 */
class NotFiniteValuesTest {
    private static final int KEYS = 70;
    /** Whole vectors of every width, and elements behind them. */
    private static final int VALUE_DIM = 37;

    static List<Way> ways() {
        return Way.of(TestEngines.underTest());
    }

    @ParameterizedTest
    @MethodSource("ways")
    void showWhereTheyAreSeenAndNowhereElse(Way way) {
        try (AttentionEngine engine = way.open()) {
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
