package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.DType;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.reference.ReferenceAttention;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExpectedResultTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "2.4.2.70.90.16",
                "2.4.2.70.90.16:causal",
                "2.4.2.70.90.16.24:mask",
                "1.2.2.1.50.8",
                "1.2.1.90.50.8:causal",
                "2.4.2.70.90.16:score-alibi",
                "2.4.2.90.90.16:mask-if-documents",
                "2.4.2.70.90.16:mask-if-tree"
            })
    void blocksOfTheOracleMakeTheWholeOracle(String text) {
        Inputs inputs = Inputs.of(AttentionShape.parse(text), DType.FLOAT32);
        ExpectedResult truth = ExpectedResult.of(inputs);
        assertThat(truth.against()).isEqualTo("oracle");
        assertThat(truth.error(oracle(inputs))).isLessThan(1e-6);
    }

    @ParameterizedTest
    @ValueSource(strings = {"2.4.2.300.90.16", "2.4.2.300.90.16:causal"})
    void oneWrongNumberShows(String text) {
        Inputs inputs = Inputs.of(AttentionShape.parse(text), DType.FLOAT32);
        ExpectedResult truth = ExpectedResult.of(inputs);
        float[] output = oracle(inputs);
        for (float wrong : new float[] {output[12345] + 0.01f, Float.NaN, Float.POSITIVE_INFINITY}) {
            float[] broken = output.clone();
            broken[12345] = wrong;
            assertThatThrownBy(() -> truth.check("broken", broken))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("wrong result");
        }
        assertThatThrownBy(() -> truth.check("short", new float[3])).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"2.4.2.300.90.16", "2.4.2.300.90.16:causal"})
    void whatTheOracleLeavesOutIsCheckedAgainstTheFirst(String text) {
        Inputs inputs = Inputs.of(AttentionShape.parse(text), DType.FLOAT32);
        ExpectedResult truth = ExpectedResult.of(inputs, inputs.problem().flops() / 10);
        assertThat(truth.against()).startsWith("oracle on ").endsWith("% of the rows");
        float[] output = oracle(inputs);
        assertThat(truth.check("first", output)).isLessThan(1e-6);
        assertThat(truth.against()).endsWith(", first on the others");
        int caught = 0;
        for (int row = 0; row < output.length / 16; row += 7) {
            float[] broken = output.clone();
            broken[row * 16 + 3] += 0.1f;
            caught += truth.error(broken) > truth.limit() ? 1 : 0;
        }
        assertThat(caught).isEqualTo((output.length / 16 + 6) / 7);
    }

    private static float[] oracle(Inputs inputs) {
        double[] exact = ReferenceAttention.compute(inputs.problem(), inputs.query(), inputs.key(), inputs.value())
                .output();
        float[] rounded = new float[exact.length];
        for (int n = 0; n < exact.length; n++) {
            rounded[n] = (float) exact[n];
        }
        return rounded;
    }
}
