package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AlibiSlopesTest {
    @Test
    void powersOfTwoAreTheGeometricSequenceOfThePaper() {
        assertThat(AttentionBuilder.geometricSlopes(1)).containsExactly(1 / 256f);
        assertThat(AttentionBuilder.geometricSlopes(2)).containsExactly(1 / 16f, 1 / 256f);
        assertThat(AttentionBuilder.geometricSlopes(8))
                .containsExactly(1 / 2f, 1 / 4f, 1 / 8f, 1 / 16f, 1 / 32f, 1 / 64f, 1 / 128f, 1 / 256f);
        float[] sixteen = AttentionBuilder.geometricSlopes(16);
        assertThat(sixteen).hasSize(16);
        assertThat(sixteen[0]).isEqualTo((float) Math.sqrt(0.5));
        assertThat(sixteen[1]).isEqualTo(0.5f);
        assertThat(sixteen[15]).isEqualTo(1 / 256f);
    }

    /** The next lower power's, then every other one of twice as many. */
    @Test
    void otherNumbersOfHeadsInterleaveTwoSequences() {
        float[] eight = AttentionBuilder.geometricSlopes(8);
        float[] sixteen = AttentionBuilder.geometricSlopes(16);
        assertThat(AttentionBuilder.geometricSlopes(12))
                .containsExactly(
                        eight[0],
                        eight[1],
                        eight[2],
                        eight[3],
                        eight[4],
                        eight[5],
                        eight[6],
                        eight[7],
                        sixteen[0],
                        sixteen[2],
                        sixteen[4],
                        sixteen[6]);
        assertThat(AttentionBuilder.geometricSlopes(3)).containsExactly(1 / 16f, 1 / 256f, 1 / 4f);
    }
}
