package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A query mask is a boolean mask of [batch, 1, queryLength, 1] that costs nothing for each key. */
class QueryMaskTest {
    private static final int BATCH = 2;
    private static final int HEADS = 4;
    private static final int QUERIES = 70;
    private static final int KEYS = 41;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    /** Runs of padding at both ends, single masked queries in between, and a batch row of nothing else. */
    private static boolean[] attends() {
        boolean[] attends = new boolean[BATCH * QUERIES];
        for (int query = 3; query < QUERIES - 20; query++) {
            attends[query] = query % 5 != 0;
        }
        attends[QUERIES + 64] = true;
        return attends;
    }

    @ParameterizedTest
    @MethodSource("plans")
    void itIsTheMaskOfAllKeysOfAQuery(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, BATCH, HEADS, QUERIES, 12);
        Tensor key = Tensor.random(2, BATCH, 2, KEYS, 12);
        Tensor value = Tensor.random(3, BATCH, 2, KEYS, 20);
        boolean[] attends = attends();
        for (int row = 0; row < attends.length; row++) {
            // What a masked query holds shows nowhere.
            if (!attends[row]) {
                for (int head = 0; head < HEADS; head++) {
                    int at = ((row / QUERIES * HEADS + head) * QUERIES + row % QUERIES) * 12;
                    query.floats().put(at + row % 12, Float.NaN);
                }
            }
        }
        Tensor queryMask = Tensor.of(attends, BATCH, QUERIES);
        try (AttentionEngine engine = enginePlan.open()) {
            for (AttentionBuilder option : List.of(
                    Attention.builder(),
                    Attention.builder().causal(Alignment.TOP_LEFT),
                    Attention.builder().window(3, 5).align(Alignment.BOTTOM_RIGHT),
                    Attention.builder().keyLengths(30, 41),
                    Attention.builder().bias(Tensor.random(4, HEADS, 1, KEYS)),
                    Attention.builder().sinks(0.5f, -1, 2, 0),
                    Attention.builder().weights(true))) {
                boolean weights = option.build().wantsWeights();
                if (weights
                        && !enginePlan.plan().equals("staged")
                        && enginePlan.info().isOpenCl()) {
                    continue;
                }
                Attention masked = option.queryMask(queryMask).logSumExp(true).build();
                Attention spread = masked.toBuilder()
                        .queryMask(null)
                        .mask(queryMask.reshape(BATCH, 1, QUERIES, 1))
                        .build();
                try (AttentionResult result = engine.attend(query, key, value, masked)) {
                    assertThat(Yardstick.of(query, key, value, spread).measure(result, masked))
                            .as(enginePlan + " " + masked)
                            .allMatch(deviation -> deviation.isAllowed());
                    assertZeroWhereMasked(result.output().toFloatArray(), 20, attends);
                    if (weights) {
                        assertZeroWhereMasked(result.weights().toFloatArray(), KEYS, attends);
                    }
                }
            }
        }
    }

    private static void assertZeroWhereMasked(float[] rows, int width, boolean... attends) {
        for (int row = 0; row < rows.length / width; row++) {
            int query = row / QUERIES / HEADS * QUERIES + row % QUERIES;
            if (!attends[query]) {
                for (int n = 0; n < width; n++) {
                    assertThat(rows[row * width + n] == 0).as("row " + row).isTrue();
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void packedSequencesHaveOneForAll(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 1, 2, 9, 8);
        Tensor key = Tensor.random(2, 1, 2, 11, 8);
        Tensor value = Tensor.random(3, 1, 2, 11, 8);
        boolean[] attends = {false, true, true, false, true, false, false, true, false};
        Attention masked = Attention.builder()
                .cumulativeLengths(new int[] {0, 4, 9}, new int[] {0, 5, 11})
                .queryMask(Tensor.of(attends, 1, 9))
                .logSumExp(true)
                .build();
        Attention spread = masked.toBuilder()
                .queryMask(null)
                .mask(Tensor.of(attends, 9, 1))
                .build();
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult result = engine.attend(query, key, value, masked)) {
            assertThat(Yardstick.of(query, key, value, spread).measure(result, masked))
                    .allMatch(deviation -> deviation.isAllowed());
        }
    }

    @Test
    void itsElementsAreCopied() {
        Tensor mask = Tensor.of(new boolean[] {true, false}, 1, 2);
        Attention attention = Attention.builder().queryMask(mask).build();
        mask.bytes().put(0, (byte) 0);
        assertThat(attention.queryMask().orElseThrow().toBooleanArray()).containsExactly(true, false);
        assertThat(attention.toString()).isEqualTo("Attention[queryMask=[1, 2]]");
        assertThat(attention.limitsKeys()).isTrue();
        AttentionProblem problem = new AttentionProblem(1, 1, 1, 2, 4, 8, 8, DType.FLOAT32, attention);
        assertThat(problem.flops()).isEqualTo(2.0 * 4 * 16);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        AttentionBuilder builder = Attention.builder();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.queryMask(Tensor.zeros(DType.BOOL, 2, 1, 3, 1)))
                .withMessage("queryMask: type BOOL of shape [2, 1, 3, 1], must be BOOL (true = attends) of 2 axes"
                        + " [batch, queryLength]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.queryMask(Tensor.zeros(DType.FLOAT32, 2, 3)))
                .withMessageStartingWith("queryMask: type FLOAT32");
        Attention attention = builder.queryMask(Tensor.zeros(DType.BOOL, 3, 2)).build();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionProblem(2, 1, 1, 3, 4, 8, 8, DType.FLOAT32, attention))
                .withMessage("queryMask: shape [3, 2], must be [batch, queryLength] = [2, 3]");
        Tensor closed = Tensor.zeros(DType.BOOL, 2, 3);
        closed.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> builder.queryMask(closed).build());
    }
}
