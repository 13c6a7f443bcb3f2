package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Weights below the smallest normal float, about e^-87.3, are 0 in every kernel: multiplied as subnormal numbers they made
 * heads whose scores lie far apart 3 to 86 times as slow on a CPU.
 */
class SubnormalsTest {
    private static final int ROWS = 5;
    private static final int KEYS = 77;
    private static final int DIMS = 20;
    private static final float HUGE = 0x1p100f;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.openCl());
    }

    /** The build option is a wish that a driver need not grant, and llvmpipe grants in parts. */
    static List<EngineInfo> flushing() {
        return TestEngines.quickOpenCl();
    }

    static List<EnginePlan> waysOfFlushing() {
        return EnginePlan.of(flushing());
    }

    /** Values so large that what a subnormal weight contributes would show. */
    @ParameterizedTest
    @MethodSource("waysOfFlushing")
    void doNotReachTheOutput(EnginePlan enginePlan) {
        assertThat(output(enginePlan, -95)).containsOnly(0);
    }

    @ParameterizedTest
    @MethodSource("plans")
    void theSmallestNormalWeightsDo(EnginePlan enginePlan) {
        float[] output = output(enginePlan, -80);
        for (float element : output) {
            assertThat((double) element / (HUGE * Math.exp(-80) * (KEYS - 1))).isBetween(0.9999, 1.0001);
        }
    }

    /** Scores from 0 down to -110: the last fifth of the weights is too small for a normal float. */
    @ParameterizedTest
    @MethodSource("flushing")
    void areNotReturnedAsWeights(EngineInfo info) {
        float[] scores = new float[KEYS];
        for (int n = 0; n < KEYS; n++) {
            scores[n] = -110f * n / KEYS;
        }
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionResult result = engine.attend(
                        ones(ROWS),
                        Tensor.of(scores, 1, 1, KEYS, 1),
                        Tensor.random(1, 1, 1, KEYS, DIMS),
                        Attention.builder().scale(1).weights(true).build())) {
            for (float weight : result.weights().toFloatArray()) {
                assertThat(weight == 0 || weight >= Float.MIN_NORMAL)
                        .as("%s", weight)
                        .isTrue();
            }
        }
    }

    /** A float16 that is subnormal is a normal float. */
    @ParameterizedTest
    @MethodSource("plans")
    void ofFloat16AreKept(EnginePlan enginePlan) {
        float[] smallest = new float[DIMS];
        for (int n = 0; n < DIMS; n++) {
            smallest[n] = (n + 1) * 0x1p-24f;
        }
        Tensor one = Tensor.of(new float[] {1}, 1, 1, 1, 1).to(DType.FLOAT16);
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult result = engine.attend(
                        one,
                        one,
                        Tensor.of(smallest, 1, 1, 1, DIMS).to(DType.FLOAT16),
                        Attention.builder().build())) {
            assertThat(result.output().toFloatArray()).containsExactly(smallest);
        }
    }

    /** The output where a first key has value 0, and all others value HUGE and a score below the first's. */
    private static float[] output(EnginePlan enginePlan, float score) {
        float[] scores = new float[KEYS];
        Arrays.fill(scores, 1, KEYS, score);
        float[] values = new float[KEYS * DIMS];
        Arrays.fill(values, DIMS, values.length, HUGE);
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult result = engine.attend(
                        ones(ROWS),
                        Tensor.of(scores, 1, 1, KEYS, 1),
                        Tensor.of(values, 1, 1, KEYS, DIMS),
                        Attention.builder().scale(1).build())) {
            return result.output().toFloatArray();
        }
    }

    private static Tensor ones(int rows) {
        float[] ones = new float[rows];
        Arrays.fill(ones, 1);
        return Tensor.of(ones, 1, 1, rows, 1);
    }
}
