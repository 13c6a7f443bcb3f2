package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AttentionProblemTest {
    private static AttentionProblem problem(int queries, int keys, Attention attention) {
        return new AttentionProblem(2, 4, 2, queries, keys, 8, 8, DType.FLOAT32, attention);
    }

    /** The masks as the documentation of {@link Alignment} draws them. */
    private static String drawn(int queries, int keys, Attention attention) {
        AttentionProblem problem = problem(queries, keys, attention);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < queries; i++) {
            for (int j = 0; j < keys; j++) {
                text.append(j >= problem.firstKey(0, i) && j < problem.endKey(0, i) ? '1' : '0');
            }
            text.append(' ');
        }
        return text.toString().trim();
    }

    @Test
    void causalIsAlignedAsNamed() {
        assertThat(drawn(2, 5, Attention.causal(Alignment.TOP_LEFT))).isEqualTo("10000 11000");
        assertThat(drawn(2, 5, Attention.causal(Alignment.BOTTOM_RIGHT))).isEqualTo("11110 11111");
        assertThat(drawn(5, 2, Attention.causal(Alignment.BOTTOM_RIGHT))).isEqualTo("00 00 00 10 11");
        assertThat(drawn(2, 5, Attention.builder().causalOffsets(2).build())).isEqualTo("11100 11110");
    }

    @Test
    void windowsAreMeasuredFromTheAlignedPosition() {
        assertThat(drawn(3, 5, Attention.builder().window(1, 1).build())).isEqualTo("11000 11100 01110");
        assertThat(drawn(3, 5, Attention.builder().window(0, -1).build())).isEqualTo("11111 01111 00111");
        assertThat(drawn(
                        3,
                        5,
                        Attention.builder()
                                .window(1, 0)
                                .align(Alignment.BOTTOM_RIGHT)
                                .build()))
                .isEqualTo("01100 00110 00011");
        assertThat(drawn(
                        3,
                        3,
                        Attention.builder()
                                .window(1, 1)
                                .causal(Alignment.TOP_LEFT)
                                .build()))
                .isEqualTo("100 110 011");
        assertThat(drawn(1, 3, Attention.builder().window(0, 0).alignOffsets(7).build()))
                .isEqualTo("000");
    }

    @Test
    void operationsAreCountedAsTheFieldCounts() {
        assertThat(problem(16, 16, Attention.DEFAULT).flops()).isEqualTo(4.0 * 2 * 4 * 16 * 16 * 8);
        assertThat(problem(16, 16, Attention.causal(Alignment.TOP_LEFT)).flops())
                .isEqualTo(2.0 * 2 * 4 * 16 * 16 * 8);
        assertThat(problem(2, 5, Attention.causal(Alignment.TOP_LEFT)).flops()).isEqualTo(4.0 * 2 * 4 * 3 * 8);
        assertThat(problem(3, 5, Attention.builder().window(1, 1).build()).flops())
                .isEqualTo(4.0 * 2 * 4 * 8 * 8);
    }

    @Test
    void bytesAreTheLeastThatMustMove() {
        // Queries and outputs of 4 heads, keys and values of 2.
        assertThat(problem(16, 32, Attention.DEFAULT).bytes()).isEqualTo(4.0 * 2 * (4 * 16 * 16 + 2 * 32 * 16));
    }
}
