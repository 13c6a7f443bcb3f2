package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The same call gives the same bits: flash-attention's test for races, ragged problems again and again. A race between
 * work-items shows as bits that differ from one run to the next.
 */
class RepeatsTest {
    private static final int REPEATS = 250;

    private final Attention causal = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .keyLengths(1049, 777)
            .alibiSlopes(0.1f, 0.2f, 0, 0.05f)
            .sinks(0.5f, -1, 2, 0)
            .logSumExp(true)
            .build();

    private final Attention packed = Attention.builder()
            .cumulativeLengths(new int[] {0, 1, 34, 34, 163, 170, 300}, new int[] {0, 7, 40, 55, 183, 183, 419})
            .logSumExp(true)
            .build();

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.quickOpenCl());
    }

    /** Batch rows of unequal length, and no whole tile along any axis. */
    @ParameterizedTest
    @MethodSource("plans")
    void aLargeCausalProblem(EnginePlan enginePlan) {
        check(enginePlan, 2, 97, 1049, causal);
    }

    /** One query over many keys: where a plan splits keys over work-groups, it does so here. */
    @ParameterizedTest
    @MethodSource("plans")
    void aStepOfDecoding(EnginePlan enginePlan) {
        check(enginePlan, 2, 1, 1049, causal);
    }

    /** Sequences of very different lengths, one of them without queries and one without keys. */
    @ParameterizedTest
    @MethodSource("plans")
    void packedSequences(EnginePlan enginePlan) {
        check(enginePlan, 1, 300, 419, packed);
    }

    private static void check(EnginePlan enginePlan, int batch, int queries, int keys, Attention attention) {
        Tensor query = Tensor.random(4, batch, 4, queries, 72);
        Tensor key = Tensor.random(5, batch, 2, keys, 72);
        Tensor value = Tensor.random(6, batch, 2, keys, 59);
        try (AttentionEngine other = enginePlan.open();
                AttentionResult expected = other.attend(query, key, value, attention);
                AttentionEngine engine = enginePlan.open()) {
            ByteBuffer output = expected.output().bytes();
            ByteBuffer logSumExp = expected.logSumExp().bytes();
            for (int n = 0; n < REPEATS; n++) {
                try (AttentionResult result = engine.attend(query, key, value, attention)) {
                    assertThat(result.plan()).isEqualTo(enginePlan.plan());
                    assertThat(result.output().bytes().mismatch(output))
                            .as("byte of the output of repeat " + n)
                            .isEqualTo(-1);
                    assertThat(result.logSumExp().bytes().mismatch(logSumExp))
                            .as("byte of the log-sum-exp of repeat " + n)
                            .isEqualTo(-1);
                }
            }
        }
    }
}
