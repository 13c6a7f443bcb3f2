package dev.attention4j.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import org.junit.jupiter.api.Test;

/** More pairs of query and key than an int counts: the oracle and the yardstick need no room for their weights. */
class LongTextTest {
    private static final int LENGTH = 50_000;

    @Test
    void oracleAndYardstickTakeIt() {
        Tensor x = Tensor.random(1, 1, 1, LENGTH, 1);
        Attention near = Attention.builder().window(3, 0).scale(1).build();
        Yardstick yardstick = Yardstick.of(x, x, x, near);
        for (String id : new String[] {"oracle", "cpu"}) {
            try (AttentionEngine engine = AttentionEngine.open(id);
                    AttentionResult result = engine.attend(x, x, x, near)) {
                assertThat(yardstick.measure(result, near)).allMatch(Deviation::isAllowed);
                float[] output = result.output().toFloatArray();
                for (int query : new int[] {0, 46_341, LENGTH - 1}) {
                    assertThat((double) output[query])
                            .as("%s, query %d", id, query)
                            .isEqualTo(expected(x, query), within(1e-5));
                }
            }
        }
    }

    @Test
    void weightsThatNoArrayHoldsAreRefused() {
        Tensor x = Tensor.random(1, 1, 1, LENGTH, 1);
        Attention attention = Attention.builder().weights(true).build();
        assertThatThrownBy(() -> Yardstick.of(x, x, x, attention))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("weights: is 50000 rows of 50000");
    }

    private static double expected(Tensor x, int query) {
        float[] all = x.toFloatArray();
        double sum = 0;
        double weighted = 0;
        for (int key = Math.max(0, query - 3); key <= query; key++) {
            double weight = Math.exp((double) all[query] * all[key]);
            sum += weight;
            weighted += weight * all[key];
        }
        return weighted / sum;
    }
}
