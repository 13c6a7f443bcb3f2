package dev.attention4j.tuner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuProjector;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A right output passes, and any wrong element is found, be its row sampled or not. */
class SampledOracleTest {
    private static final double ALL = 1e12;

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void findsEveryWrongElement(DType dtype) {
        Tensor query = Tensor.random(1, 2, 4, 70, 8).to(dtype);
        Tensor key = Tensor.random(2, 2, 2, 50, 8).to(dtype);
        Tensor value = Tensor.random(3, 2, 2, 50, 5).to(dtype);
        for (Attention attention : new Attention[] {
            Attention.DEFAULT, Attention.builder().causal(Alignment.TOP_LEFT).build()
        }) {
            AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
            float[] right = right(query, key, value, attention);
            for (double flops : new double[] {ALL, 0, problem.flops() / 4}) {
                SampledOracle oracle = SampledOracle.ofAttention(problem, query, key, value, flops);
                assertThat(oracle.objection(right)).isEmpty();
                for (int n = 0; n < right.length; n++) {
                    float kept = right[n];
                    right[n] = n % 2 == 0 ? Float.NaN : kept + 0.5f;
                    assertThat(oracle.objection(right)).as("element " + n).isPresent();
                    right[n] = kept;
                }
                assertThat(oracle.objection(right)).isEmpty();
                assertThat(oracle.objection(new float[right.length - 1])).isPresent();
            }
        }
    }

    @Test
    void findsEveryWrongElementOfAProjection() {
        Tensor input = Tensor.random(1, 1, 70, 9);
        Tensor kernel = Tensor.random(2, 9, 1, 5);
        Tensor bias = Tensor.random(3, 1, 5);
        Projector projector = CpuProjector.get();
        float[] right;
        try (Projector.Projection projection = projector.prepare(kernel, bias)) {
            right = projector.split(input, List.of(projection)).get(0).toFloatArray();
        }
        for (double flops : new double[] {ALL, 0}) {
            SampledOracle oracle = SampledOracle.ofProjection(input, kernel, bias, flops);
            assertThat(oracle.objection(right)).isEmpty();
            for (int n = 0; n < right.length; n++) {
                float kept = right[n];
                right[n] = n % 2 == 0 ? Float.NaN : kept + 0.5f;
                assertThat(oracle.objection(right)).as("element " + n).isPresent();
                right[n] = kept;
            }
            assertThat(oracle.objection(right)).isEmpty();
        }
    }

    private static float[] right(Tensor query, Tensor key, Tensor value, Attention attention) {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                AttentionResult result = engine.attend(query, key, value, attention)) {
            return result.output().toFloatArray();
        }
    }

    @Test
    void problemsWhoseRowsItCannotCutOutAreRefused() {
        Tensor tensor = Tensor.random(1, 1, 1, 4, 4);
        Attention attention =
                Attention.builder().bias(Tensor.random(2, 1, 1, 4, 4)).build();
        AttentionProblem problem = AttentionProblem.of(tensor, tensor, tensor, attention);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SampledOracle.ofAttention(problem, tensor, tensor, tensor, ALL));
    }
}
