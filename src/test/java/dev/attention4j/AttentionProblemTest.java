package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
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
                text.append(problem.keyRange(0, i).contains(j) ? '1' : '0');
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

    /** Each row of a batch drawn as {@link #drawn} does the first. */
    private static String drawn(AttentionProblem problem, int batchRow) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < problem.queryLength(); i++) {
            for (int j = 0; j < problem.keyLength(); j++) {
                text.append(problem.keyRange(batchRow, i).contains(j) ? '1' : '0');
            }
            text.append(' ');
        }
        return text.toString().trim();
    }

    @Test
    void keyLengthsEndEachBatchRow() {
        AttentionProblem plain =
                problem(2, 5, Attention.builder().keyLengths(3, 0).build());
        assertThat(drawn(plain, 0)).isEqualTo("11100 11100");
        assertThat(drawn(plain, 1)).isEqualTo("00000 00000");
        AttentionProblem bottomRight = problem(
                2,
                5,
                Attention.builder()
                        .keyLengths(3, 1)
                        .causal(Alignment.BOTTOM_RIGHT)
                        .build());
        assertThat(drawn(bottomRight, 0)).isEqualTo("11000 11100");
        assertThat(drawn(bottomRight, 1)).isEqualTo("00000 10000");
        assertThat(bottomRight.offset(0)).isEqualTo(1);
        assertThat(bottomRight.keyRange(1, 0).position()).isEqualTo(-1);
        AttentionProblem topLeft = problem(
                2,
                5,
                Attention.builder().keyLengths(1).causal(Alignment.TOP_LEFT).build());
        assertThat(drawn(topLeft, 1)).isEqualTo("10000 10000");
        AttentionProblem window = problem(
                2,
                5,
                Attention.builder()
                        .keyLengths(4)
                        .window(1, 0)
                        .align(Alignment.BOTTOM_RIGHT)
                        .build());
        assertThat(drawn(window, 1)).isEqualTo("01100 00110");
    }

    private static AttentionProblem packed(AttentionBuilder builder) {
        // Sequences of 2 queries and 3 keys, none and 1, 1 and none, 1 and 1.
        Attention attention = builder.cumulativeLengths(new int[] {0, 2, 2, 3, 4}, new int[] {0, 3, 4, 4, 5})
                .build();
        return new AttentionProblem(1, 4, 2, 4, 5, 8, 8, DType.FLOAT32, attention);
    }

    @Test
    void packedSequencesSeeTheirOwnKeys() {
        AttentionProblem plain = packed(Attention.builder());
        assertThat(plain.sequences()).isEqualTo(4);
        assertThat(drawn(plain, 0)).isEqualTo("11100 11100 00000 00001");
        assertThat(IntStream.range(0, 4).map(query -> plain.keyRange(0, query).sequence()))
                .containsExactly(0, 0, 2, 3);
        assertThat(drawn(packed(Attention.builder().causal(Alignment.TOP_LEFT)), 0))
                .isEqualTo("10000 11000 00000 00001");
        assertThat(drawn(packed(Attention.builder().causal(Alignment.BOTTOM_RIGHT)), 0))
                .isEqualTo("11000 11100 00000 00001");
        assertThat(drawn(packed(Attention.builder().causalOffsets(2, 9, 9, -1)), 0))
                .isEqualTo("11100 11100 00000 00000");
        assertThat(drawn(packed(Attention.builder().window(0, 0)), 0)).isEqualTo("10000 01000 00000 00001");
        assertThat(packed(Attention.builder()).keyRange(0, 3).position()).isEqualTo(4);
    }

    @Test
    void aMaskedQueryHasAPositionButNoKeys() {
        Attention attention = Attention.builder()
                .queryMask(Tensor.of(new boolean[] {true, false, true, true}, 2, 2))
                .causalOffsets(3)
                .build();
        AttentionProblem problem = problem(2, 5, attention);
        assertThat(problem.keyRange(0, 0)).isEqualTo(new KeyRange(0, 4, 3, 0));
        KeyRange masked = problem.keyRange(0, 1);
        assertThat(masked.position()).isEqualTo(4);
        assertThat(masked.count()).isZero();
        assertThat(IntStream.range(0, 5).anyMatch(masked::contains)).isFalse();
        assertThat(problem.keyRange(1, 1)).isEqualTo(new KeyRange(0, 5, 4, 1));
    }

    @Test
    void slopesAndSinksAreThoseOfTheHead() {
        AttentionProblem one =
                packed(Attention.builder().alibiSlopes(1, 2, 3, 4).sinks(5, 6, 7, 8));
        assertThat(one.alibiSlope(3, 2)).isEqualTo(3);
        assertThat(one.sink(1)).isEqualTo(6);
        float[] each = new float[16];
        each[2 * 4 + 3] = 9;
        assertThat(packed(Attention.builder().alibiSlopes(each)).alibiSlope(2, 3))
                .isEqualTo(9);
        AttentionProblem none = packed(Attention.builder());
        assertThat(none.alibiSlope(0, 0)).isZero();
        assertThat(none.sink(0)).isEqualTo(Float.NEGATIVE_INFINITY);
    }

    @Test
    void onlyUsefulPairsAndKeysAreCounted() {
        // Lengths 3 and 0 of 5 keys: 2 queries see 3 of them.
        AttentionProblem lengths =
                problem(2, 5, Attention.builder().keyLengths(3, 0).build());
        assertThat(lengths.flops()).isEqualTo(4.0 * 4 * (2 * 3) * 8);
        assertThat(lengths.bytes()).isEqualTo(4.0 * (2 * 4 * 2 * 16 + 2 * (3 + 0) * 16));
        assertThat(problem(
                                16,
                                16,
                                Attention.builder()
                                        .keyLengths(4)
                                        .causal(Alignment.TOP_LEFT)
                                        .build())
                        .flops())
                .isEqualTo(4.0 * 2 * 4 * (1 + 2 + 3 + 13 * 4) * 8);

        AttentionProblem packed = packed(Attention.builder());
        assertThat(packed.flops()).isEqualTo(4.0 * 4 * (2 * 3 + 1) * 8);
        assertThat(packed.bytes()).isEqualTo(4.0 * (4 * 4 * 16 + 2 * 5 * 16));
        assertThat(packed(Attention.builder().causal(Alignment.TOP_LEFT)).flops())
                .isEqualTo(4.0 * 4 * (1 + 2 + 1) * 8);
        // Two packed squares are not one square half masked.
        Attention squares = Attention.builder()
                .cumulativeLengths(new int[] {0, 4, 8}, new int[] {0, 4, 8})
                .causal(Alignment.TOP_LEFT)
                .build();
        assertThat(new AttentionProblem(1, 1, 1, 8, 8, 8, 8, DType.FLOAT32, squares).flops())
                .isEqualTo(4.0 * 2 * (1 + 2 + 3 + 4) * 8);
    }
}
