package dev.attention4j.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import org.junit.jupiter.api.Test;

/** The textbook's function by hand, and against the whole operation. */
class SelfAttentionTest {
    @Test
    void twoTokensByHand() {
        // Orthogonal unit vectors of width 4: scores 1/2 and 0, so weights e^0.5 : 1.
        double own = Math.exp(0.5) / (Math.exp(0.5) + 1);
        double[][] output = SelfAttention.selfAttention(new double[][] {{1, 0, 0, 0}, {0, 1, 0, 0}});
        assertThat(output[0]).containsExactly(new double[] {own, 1 - own, 0, 0}, within(1e-15));
        assertThat(output[1]).containsExactly(new double[] {1 - own, own, 0, 0}, within(1e-15));
    }

    @Test
    void isTheWholeOperationWithTheInputsPassedThreeTimes() {
        Tensor inputs = Tensor.random(3, 1, 1, 7, 5);
        double[] flat = inputs.toDoubleArray();
        double[][] sequence = new double[7][5];
        for (int n = 0; n < flat.length; n++) {
            sequence[n / 5][n % 5] = flat[n];
        }
        ReferenceAttention whole = ReferenceAttention.compute(
                AttentionProblem.of(inputs, inputs, inputs, Attention.DEFAULT), inputs, inputs, inputs);
        double[][] output = SelfAttention.selfAttention(sequence);
        double[][] weights = SelfAttention.weights(sequence);
        for (int i = 0; i < 7; i++) {
            for (int d = 0; d < 5; d++) {
                assertThat(whole.output()[i * 5 + d]).isCloseTo(output[i][d], within(1e-14));
            }
            for (int j = 0; j < 7; j++) {
                assertThat(whole.weights()[i * 7 + j]).isCloseTo(weights[i][j], within(1e-14));
            }
        }
    }

    @Test
    void largeScoresDoNotOverflow() {
        double[][] output = SelfAttention.selfAttention(new double[][] {{1000, 0}, {0, 1000}});
        assertThat(output[0]).containsExactly(1000, 0);
    }

    @Test
    void anEmptySequenceGivesNothingAndARaggedOneIsRefused() {
        assertThat(SelfAttention.selfAttention(new double[0][])).isEmpty();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SelfAttention.selfAttention(new double[][] {{1, 2}, {3}}))
                .withMessageContaining("vector 1 is 1 wide");
    }
}
