package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.TestEngines;
import dev.attention4j.UnsupportedPlanException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The same call gives the same bits: flash-attention's test for races, a large ragged problem again and again. */
class RepeatsTest {
    private static final int REPEATS = 250;

    private final Attention attention = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .keyLengths(1049, 777)
            .alibiSlopes(0.1f, 0.2f, 0, 0.05f)
            .sinks(0.5f, -1, 2, 0)
            .logSumExp(true)
            .build();

    /** A device, one of its plans, and as many queries as the plan takes. */
    record Way(EngineInfo info, String plan, int queries) {
        AttentionEngine open() {
            return AttentionEngine.open(info.id(), TestEngines.options().withPlan(plan));
        }

        @Override
        public String toString() {
            return plan + " on " + info.id() + ", " + queries + " queries";
        }
    }

    static List<Way> ways() {
        List<Way> ways = new ArrayList<>();
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            List<String> plans;
            try (AttentionEngine engine = TestEngines.open(info)) {
                plans = engine.plans();
            }
            for (String plan : plans) {
                int queries = 97;
                while (!new RepeatsTest().can(new Way(info, plan, queries))) {
                    queries /= 3;
                }
                ways.add(new Way(info, plan, queries));
            }
        }
        return ways;
    }

    private final Tensor key = Tensor.random(5, 2, 2, 1049, 72);
    private final Tensor value = Tensor.random(6, 2, 2, 1049, 59);

    private static Tensor query(Way way) {
        return Tensor.random(4, 2, 4, way.queries, 72);
    }

    private boolean can(Way way) {
        try (AttentionEngine engine = way.open()) {
            engine.explain(AttentionProblem.of(query(way), key, value, attention));
            return true;
        } catch (UnsupportedPlanException e) {
            return false;
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void repeatsGiveTheSameBits(Way way) {
        Tensor query = query(way);
        ByteBuffer output;
        ByteBuffer logSumExp;
        try (AttentionEngine other = way.open();
                AttentionResult expected = other.attend(query, key, value, attention);
                AttentionEngine engine = way.open()) {
            output = expected.output().bytes();
            logSumExp = expected.logSumExp().bytes();
            for (int n = 0; n < REPEATS; n++) {
                try (AttentionResult result = engine.attend(query, key, value, attention)) {
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
