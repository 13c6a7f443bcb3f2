package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WeightColoursTest {
    /** A quarter of the largest weight is half way, for the square root counts. */
    @Test
    void goesFromPaperToTheStrongestByTheSquareRoot() {
        assertThat(WeightColours.rgb(0, 0.7)).isEqualTo(0xFFFFFF);
        assertThat(WeightColours.rgb(0.7, 0.7)).isEqualTo(0xF58A1F);
        assertThat(WeightColours.rgb(0.175, 0.7)).isEqualTo(0xFAC58F);
        assertThat(WeightColours.rgb(0.71, 0.7)).isEqualTo(0xF58A1F);
        assertThat(WeightColours.rgb(-1e-9, 0.7)).isEqualTo(0xFFFFFF);
    }
}
