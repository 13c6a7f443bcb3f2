package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ExpTest {
    @Test
    void isWithinTwoUnitsInTheLastPlace() {
        for (float x = -86f; x <= 0; x += 1e-4f) {
            float exact = (float) Math.exp(x);
            assertThat(Math.abs(Exp.of(x) - Math.exp(x))).as("e^%s", x).isLessThanOrEqualTo(2 * Math.ulp(exact));
        }
    }

    @Test
    void theLoopGivesTheBitsOfOne() {
        float[] x = new float[1000];
        float[] shift = new float[1000];
        float[] expected = new float[1000];
        for (int n = 0; n < x.length; n++) {
            shift[n] = n % 7 - 3;
            x[n] = shift[n] - n * 0.09f;
            expected[n] = Exp.of(x[n] - shift[n]);
        }
        Exp.shifted(x, shift, new float[1000], 0, x.length);
        assertThat(x).isEqualTo(expected);
    }

    @Test
    void edges() {
        assertThat(Exp.of(0)).isEqualTo(1f);
        assertThat(Exp.of(Float.NEGATIVE_INFINITY)).isEqualTo(0f);
        assertThat(Exp.of(-88)).isEqualTo(0f);
        assertThat(Exp.of(-1e30f)).isEqualTo(0f);
        assertThat(Exp.of(Float.NaN)).isNaN();
    }

    @Test
    void tanhIsWithinThreeUnitsInTheLastPlace() {
        for (float x = -12f; x <= 12f; x += 1e-4f) {
            float exact = (float) Math.tanh(x);
            assertThat(Math.abs(Exp.tanh(x) - Math.tanh(x))).as("tanh %s", x).isLessThanOrEqualTo(3 * Math.ulp(exact));
        }
        assertThat(Exp.tanh(0)).isEqualTo(0f);
        assertThat(Exp.tanh(Float.POSITIVE_INFINITY)).isEqualTo(1f);
        assertThat(Exp.tanh(Float.NEGATIVE_INFINITY)).isEqualTo(-1f);
        assertThat(Exp.tanh(Float.NaN)).isNaN();
        assertThat(Exp.tanh(1e-30f)).isEqualTo(1e-30f);
    }
}
