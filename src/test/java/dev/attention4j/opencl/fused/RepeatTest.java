package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.TestEngines;
import dev.attention4j.opencl.staged.StagedPlan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A race between work-items shows as bits that differ from one run to the next. */
class RepeatTest {
    private static final int REPEATS = 250;

    private record Way(EngineInfo info, String plan) {
        @Override
        public String toString() {
            return plan + " on " + info.name();
        }
    }

    private static List<Way> fusedPlans() {
        List<Way> ways = new ArrayList<>();
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                for (String plan : engine.plans()) {
                    if (!plan.equals(StagedPlan.NAME)) {
                        ways.add(new Way(info, plan));
                    }
                }
            }
        }
        return ways;
    }

    /** Sequences of very different lengths, packed: whole tiles, ragged ones, and keys of one row split over work-groups. */
    @ParameterizedTest
    @MethodSource("fusedPlans")
    void aRaggedProblemGivesTheSameBitsEachTime(Way way) {
        Attention attention = Attention.builder()
                .cumulativeLengths(new int[] {0, 1, 34, 34, 163, 170, 300}, new int[] {0, 7, 40, 55, 183, 183, 419})
                .logSumExp(true)
                .build();
        Tensor query = Tensor.random(1, 1, 2, 300, 40);
        Tensor key = Tensor.random(2, 1, 1, 419, 40);
        Tensor value = Tensor.random(3, 1, 1, 419, 33);
        Tensor few = Tensor.random(4, 1, 2, 3, 40);
        try (AttentionEngine engine =
                AttentionEngine.open(way.info().id(), TestEngines.options().withPlan(way.plan()))) {
            float[] expected = null;
            for (int n = 0; n < REPEATS; n++) {
                float[] got;
                try (AttentionResult ragged = engine.attend(query, key, value, attention);
                        AttentionResult split = engine.attend(
                                few, key, value, Attention.builder().build())) {
                    got = concatenated(
                            ragged.output().toFloatArray(),
                            ragged.logSumExp().toFloatArray(),
                            split.output().toFloatArray());
                }
                expected = expected == null ? got : expected;
                assertThat(Arrays.mismatch(got, expected))
                        .as("first difference in run %s", n)
                        .isEqualTo(-1);
            }
        }
    }

    private static float[] concatenated(float[]... parts) {
        int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
        float[] whole = new float[length];
        int at = 0;
        for (float[] part : parts) {
            System.arraycopy(part, 0, whole, at, part.length);
            at += part.length;
        }
        return whole;
    }
}
