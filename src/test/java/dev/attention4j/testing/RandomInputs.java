package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;

/** Query, key and value of one case, and the check of an engine on them. */
public record RandomInputs(Tensor query, Tensor key, Tensor value) {
    public static RandomInputs random(
            int batch, int heads, int keyHeads, int queries, int keys, int dim, int valueDim) {
        return new RandomInputs(
                Tensor.random(1, batch, heads, queries, dim),
                Tensor.random(2, batch, keyHeads, keys, dim),
                Tensor.random(3, batch, keyHeads, keys, valueDim));
    }

    public RandomInputs to(DType type) {
        return new RandomInputs(query.to(type), key.to(type), value.to(type));
    }

    public AttentionResult attend(AttentionEngine engine, AttentionBuilder attention) {
        return engine.attend(query, key, value, attention.build());
    }

    /** Output, weights and log-sum-exp are right by the {@link Yardstick}, and asking for less changes no bit. */
    public void check(AttentionEngine engine, AttentionBuilder builder) {
        Attention attention = builder.weights(true).logSumExp(true).build();
        AttentionResult result = engine.attend(query, key, value, attention);
        assertThat(Yardstick.of(query, key, value, attention).measure(result, attention))
                .as(attention.toString())
                .allMatch(Deviation::isAllowed);

        Attention outputOnly = builder.weights(false).logSumExp(false).build();
        assertThat(engine.attend(query, key, value, outputOnly).output().toFloatArray())
                .as("output alone of " + attention)
                .isEqualTo(result.output().toFloatArray());
    }
}
