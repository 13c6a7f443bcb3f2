package dev.attention4j.tuner;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuProjector;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A right output passes, and any wrong element is found, be its row sampled or not. */
class ProjectionOracleTest {
    @ParameterizedTest
    @ValueSource(doubles = {1e12, 0})
    void findsEveryWrongElement(double flops) {
        Tensor input = Tensor.random(1, 1, 70, 9);
        Tensor kernel = Tensor.random(2, 9, 1, 5);
        Tensor bias = Tensor.random(3, 1, 5);
        Projector projector = CpuProjector.get();
        float[] right;
        try (Projector.Projection projection = projector.prepare(kernel, bias)) {
            right = projector.split(input, List.of(projection)).get(0).toFloatArray();
        }
        ProjectionOracle oracle = new ProjectionOracle(input, kernel, bias, flops);
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
