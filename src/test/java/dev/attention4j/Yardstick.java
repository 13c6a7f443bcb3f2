package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;

/**
 * The rule by which any engine is right: its largest error against the oracle is at most twice that of plain float code
 * on the same problem, plus 1e-6; NaN and infinities must be where the oracle has them.
 */
public final class Yardstick {
    private static final double ALLOWANCE = 1e-6;

    private Yardstick() {}

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
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        ReferenceAttention oracle = ReferenceAttention.compute(problem, query, key, value);
        PlainFloatAttention plain = PlainFloatAttention.compute(problem, query, key, value);
        String where = reproduce + " on " + engine.info().name() + " (driver "
                + engine.info().driver() + ")";
        try (AttentionResult result = engine.attend(query, key, value, attention)) {
            assertThat(result.output().shape()).as(where).isEqualTo(problem.outputShape());
            assertThat(result.output().dtype()).as(where).isEqualTo(problem.dtype());
            compare(where + ": output", result.output(), oracle.output(), plain.output());
            if (attention.wantsWeights()) {
                assertThat(result.weights().shape()).as(where).isEqualTo(problem.weightsShape());
                compare(where + ": weights", result.weights(), oracle.weights(), plain.weights());
            }
            if (attention.wantsLogSumExp()) {
                assertThat(result.logSumExp().shape()).as(where).isEqualTo(problem.logSumExpShape());
                compare(where + ": logSumExp", result.logSumExp(), oracle.logSumExp(), plain.logSumExp());
            }
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
        double[] actual = got.toDoubleArray();
        assertThat(actual.length).as(where).isEqualTo(oracle.length);
        double plainError = 0;
        double error = 0;
        int worst = -1;
        for (int n = 0; n < oracle.length; n++) {
            if (!Double.isFinite(oracle[n])) {
                assertThat(actual[n]).as(where + " at " + n).isEqualTo(oracle[n]);
                continue;
            }
            // What plain code stores in 16 bits is rounded as well.
            double stored = got.dtype() == DType.FLOAT32 ? plain[n] : rounded(plain[n], got.dtype());
            plainError = Math.max(plainError, Math.abs(stored - oracle[n]));
            double here = Math.abs(actual[n] - oracle[n]);
            if (!(here <= error)) {
                error = here;
                worst = n;
                if (Double.isNaN(here)) {
                    break;
                }
            }
        }
        if (!(error <= 2 * plainError + ALLOWANCE)) {
            throw new AssertionError(where + " at " + worst + ": got " + actual[worst] + ", oracle " + oracle[worst]
                    + ", error " + error + ", plain float's " + plainError);
        }
    }

    private static double rounded(float number, DType dtype) {
        return dtype == DType.FLOAT16
                ? Float16.toFloat(Float16.fromFloat(number))
                : Float16.bfloatToFloat(Float16.bfloatFromFloat(number));
    }
}
