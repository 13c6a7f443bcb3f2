package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.DType;
import org.junit.jupiter.api.Test;

class ToleranceTest {
    @Test
    void whatIsNotFiniteMustBeTheSame() {
        Tolerance tolerance = Tolerance.of(DType.FLOAT32);
        double[] odd = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0};
        for (double got : odd) {
            for (double want : odd) {
                assertThat(tolerance.allows(got, want))
                        .as(got + " for " + want)
                        .isEqualTo(Double.compare(got, want) == 0);
            }
        }
        assertThat(tolerance.allows(-0.0, 0.0)).isTrue();
    }

    @Test
    void theLimitGrowsWithWhatIsWanted() {
        Tolerance tolerance = Tolerance.of(DType.FLOAT32);
        assertThat(tolerance.allows(0.9e-5, 0)).isTrue();
        assertThat(tolerance.allows(1.1e-5, 0)).isFalse();
        assertThat(tolerance.allows(100.01, 100)).isTrue();
        assertThat(tolerance.allows(100.011, 100)).isFalse();
        assertThat(tolerance.allows(-100.011, -100)).isFalse();
        assertThat(tolerance.allows(-100, 100)).isFalse();
    }

    @Test
    void negativeTolerancesAreRefused() {
        assertThatThrownBy(() -> new Tolerance(-1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Tolerance(0, Double.NaN)).isInstanceOf(IllegalArgumentException.class);
    }
}
