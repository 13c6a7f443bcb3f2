package dev.attention4j.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TimingTest {
    @Test
    void isTheMiddleOrTheMeanOfBoth() {
        double[] numbers = {9, 1, 5, 6};
        assertThat(Timing.median(9, 1, 5)).isEqualTo(5);
        assertThat(Timing.median(numbers)).isEqualTo(5.5);
        assertThat(numbers).containsExactly(9, 1, 5, 6);
    }

    @Test
    void noneHasNone() {
        assertThatThrownBy(Timing::median)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("numbers");
    }
}
