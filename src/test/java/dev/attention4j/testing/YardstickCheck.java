package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;

/** Fails a test where an engine is not right by the {@link Yardstick}. */
public final class YardstickCheck {
    private YardstickCheck() {}

    /**
     * Runs a problem on an engine and checks output, weights and log-sum-exp, whichever the operation asks for.
     *
     * @param engine under test
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param attention the operation
     * @param reproduce a line that a person can run again
     */
    public static void check(
            AttentionEngine engine, Tensor query, Tensor key, Tensor value, Attention attention, String reproduce) {
        String where = reproduce + " on " + engine.info().name() + " (driver "
                + engine.info().driver() + ")";
        try (AttentionResult result = engine.attend(query, key, value, attention)) {
            assertThat(Yardstick.of(query, key, value, attention).measure(result, attention))
                    .as(where)
                    .allMatch(Deviation::isAllowed);
        }
    }

    /**
     * Checks numbers by the rule.
     *
     * @param where names them in failures
     * @param got under test
     * @param oracle in double
     * @param plain in plain float, not yet rounded to the type of what is under test
     */
    public static void compare(String where, Tensor got, double[] oracle, float[] plain) {
        assertThat(Deviation.of(where, got, oracle, plain)).matches(Deviation::isAllowed);
    }
}
