package dev.attention4j.tuner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class MedianTest {
    @Test
    void isTheMiddleOrTheMeanOfBoth() {
        double[] numbers = {9, 1, 5, 6};
        assertThat(Median.of(9, 1, 5)).isEqualTo(5);
        assertThat(Median.of(numbers)).isEqualTo(5.5);
        assertThat(numbers).containsExactly(9, 1, 5, 6);
    }

    @Test
    void noneHasNone() {
        assertThatThrownBy(Median::of)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("numbers");
    }
}
