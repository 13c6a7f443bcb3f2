package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;

/** Query, key and value of one case, and the check of an engine on them. */
record Inputs(Tensor query, Tensor key, Tensor value) {
    static Inputs random(int batch, int heads, int keyHeads, int queries, int keys, int dim, int valueDim) {
        return new Inputs(
                Tensor.random(1, batch, heads, queries, dim),
                Tensor.random(2, batch, keyHeads, keys, dim),
                Tensor.random(3, batch, keyHeads, keys, valueDim));
    }

    Inputs to(DType type) {
        return new Inputs(query.to(type), key.to(type), value.to(type));
    }

    AttentionResult attend(AttentionEngine engine, AttentionBuilder attention) {
        return engine.attend(query, key, value, attention.build());
    }

    /** Output, weights and log-sum-exp are at most twice as far from the oracle as plain float loops, plus 1e-6. */
    void check(AttentionEngine engine, AttentionBuilder builder) {
        Attention attention = builder.weights(true).logSumExp(true).build();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        ReferenceAttention oracle = ReferenceAttention.compute(problem, query, key, value);
        PlainFloatAttention plain = PlainFloatAttention.compute(problem, query, key, value);
        AttentionResult result = engine.attend(query, key, value, attention);
        float[] plainOutput = Tensor.of(plain.output(), problem.outputShape())
                .to(problem.dtype())
                .toFloatArray();
        near("output of " + attention, result.output().toFloatArray(), oracle.output(), plainOutput);
        near("weights of " + attention, result.weights().toFloatArray(), oracle.weights(), plain.weights());
        near("log-sum-exp of " + attention, result.logSumExp().toFloatArray(), oracle.logSumExp(), plain.logSumExp());
        assertThat(result.output().dtype()).isEqualTo(problem.dtype());
        assertThat(result.output().shape()).isEqualTo(problem.outputShape());

        Attention outputOnly = builder.weights(false).logSumExp(false).build();
        assertThat(engine.attend(query, key, value, outputOnly).output().toFloatArray())
                .as("output alone of " + attention)
                .isEqualTo(result.output().toFloatArray());
    }

    private static void near(String what, float[] found, double[] oracle, float[] plain) {
        double tolerance = 2 * greatestError(what, plain, oracle) + 1e-6;
        assertThat(greatestError(what, found, oracle)).as(what).isLessThanOrEqualTo(tolerance);
    }

    private static double greatestError(String what, float[] found, double[] oracle) {
        assertThat(found).as(what).hasSameSizeAs(oracle);
        double greatest = 0;
        for (int n = 0; n < oracle.length; n++) {
            assertThat(found[n]).as("%s, element %d", what, n).isNotNaN();
            double error = found[n] == oracle[n] ? 0 : Math.abs(found[n] - oracle[n]);
            greatest = Math.max(greatest, error);
        }
        return greatest;
    }
}
