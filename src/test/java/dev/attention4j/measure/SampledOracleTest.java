package dev.attention4j.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuProjector;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A right result passes, and any wrong element is found, be its row sampled or not. */
class SampledOracleTest {
    private static final double ALL = 1e12;

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void findsEveryWrongElement(DType dtype) {
        for (Attention attention : new Attention[] {
            Attention.DEFAULT, Attention.builder().causal(Alignment.TOP_LEFT).build()
        }) {
            AttentionProblem problem = new AttentionProblem(2, 4, 2, 70, 50, 8, 5, dtype, attention);
            Inputs inputs = Inputs.of(problem);
            Tensor right = right(inputs);
            for (double flops : new double[] {ALL, 0, problem.flops() / 4}) {
                SampledOracle sample = SampledOracle.of(inputs, flops);
                assertThat(sample.whyWrong(result(right))).isEmpty();
                float[] output = right.toFloatArray();
                for (int n = 0; n < output.length; n++) {
                    float kept = output[n];
                    output[n] = n % 2 == 0 ? Float.NaN : kept + 0.5f;
                    assertThat(sample.whyWrong(result(Tensor.of(output, right.shape()))))
                            .as("element " + n)
                            .isPresent();
                    output[n] = kept;
                }
                assertThat(sample.whyWrong(result(right))).isEmpty();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e12, 0})
    void findsEveryWrongElementOfAProjection(double flops) {
        Tensor input = Tensor.random(1, 1, 70, 9);
        Tensor kernel = Tensor.random(2, 9, 1, 5);
        Tensor bias = Tensor.random(3, 1, 5);
        Projector projector = CpuProjector.get();
        float[] right;
        try (Projector.Projection projection = projector.prepare(kernel, bias)) {
            right = projector.toHeads(input, List.of(projection)).get(0).toFloatArray();
        }
        SampledOracle oracle = SampledOracle.ofProjection(input, kernel, bias, flops);
        assertThat(oracle.whyWrong(right)).isEmpty();
        for (int n = 0; n < right.length; n++) {
            float kept = right[n];
            right[n] = n % 2 == 0 ? Float.NaN : kept + 0.5f;
            assertThat(oracle.whyWrong(right)).as("element " + n).isPresent();
            right[n] = kept;
        }
        assertThat(oracle.whyWrong(right)).isEmpty();
        assertThat(oracle.whyWrong(new float[right.length - 1])).isPresent();
    }

    /** Nothing shows it until another result is there; then the oracle is asked about both. */
    @Test
    void aFirstResultThatIsWrongInOtherRowsIsFoundByTheSecond() {
        Inputs inputs = Inputs.of(new AttentionProblem(1, 2, 2, 70, 50, 8, 5, DType.FLOAT32, Attention.DEFAULT));
        Tensor right = right(inputs);
        float[] wrong = right.toFloatArray();
        wrong[35 * 5] += 0.5f;
        SampledOracle sample = SampledOracle.of(inputs, 0);
        assertThat(sample.whyWrong(result(Tensor.of(wrong, right.shape())))).isEmpty();
        assertThat(sample.whyWrong(result(right)))
                .hasValueSatisfying(objection -> assertThat(objection).contains(" at 175, another engine or plan has"));
    }

    /** Which order has the largest error is chance, so each may. */
    @Test
    void plainCodeOfFewRowsIsComputedInFourOrders() {
        Inputs inputs = Inputs.of(new AttentionProblem(1, 2, 2, 3, 90, 64, 16, DType.FLOAT32, Attention.DEFAULT));
        AttentionProblem problem = inputs.problem();
        double[] oracle = ReferenceAttention.compute(problem, inputs.query(), inputs.key(), inputs.value())
                .output();
        double largest = 0;
        Set<Double> errors = new HashSet<>();
        for (int firstDim = 0; firstDim < 64; firstDim += 16) {
            float[] plain = PlainFloatAttention.compute(problem, inputs.query(), inputs.key(), inputs.value(), firstDim)
                    .output();
            double error = Deviation.of("output", Tensor.of(plain, problem.outputShape()), oracle, plain)
                    .error();
            errors.add(error);
            largest = Math.max(largest, error);
        }
        assertThat(errors).hasSizeGreaterThan(1);
        assertThat(SampledOracle.of(inputs, ALL)
                        .measure(result(right(inputs)))
                        .get(0)
                        .plainError())
                .isEqualTo(largest);
    }

    /** Plain code's worst row may not be among the chosen. */
    @Test
    void anErrorThatPlainCodeMakesInOtherRowsIsAllowed() {
        AttentionProblem problem = new AttentionProblem(2, 4, 2, 70, 50, 64, 5, DType.FLOAT32, Attention.DEFAULT);
        Inputs inputs = Inputs.of(problem);
        Tensor right = right(inputs);
        double few = SampledOracle.of(inputs, 0).measure(result(right)).get(0).limit();
        double all = SampledOracle.of(inputs, ALL).measure(result(right)).get(0).limit();
        assertThat(all).isGreaterThan(1.1 * few);

        // Exact in the first element but for the error that is put there.
        double exact = ReferenceAttention.compute(problem, inputs.query(), inputs.key(), inputs.value())
                .output()[0];
        float[] output = right.toFloatArray();
        output[0] = (float) (exact + (few + all) / 2);
        Tensor between = Tensor.of(output, right.shape());
        assertThat(SampledOracle.of(inputs, 0).whyWrong(result(between))).isPresent();
        assertThat(SampledOracle.of(inputs, problem.flops() / 10).whyWrong(result(between)))
                .isEmpty();
        output[0] = (float) (exact + 1.1 * all);
        assertThat(SampledOracle.of(inputs, problem.flops() / 10).whyWrong(result(Tensor.of(output, right.shape()))))
                .isPresent();
    }

    /** A part of a bias of no keys begins beyond its memory's end. */
    @Test
    void aBiasOfNoKeysIsRead() {
        Attention biased = Attention.builder()
                .bias(Tensor.zeros(DType.FLOAT32, 2, 1, 31, 0))
                .build();
        Inputs inputs = Inputs.of(new AttentionProblem(2, 2, 1, 31, 0, 4, 5, DType.FLOAT32, biased));
        assertThat(SampledOracle.of(inputs, ALL).whyWrong(result(right(inputs))))
                .isEmpty();
    }

    @Test
    void packedSequencesWhoseRowsItCannotCutOutAreRefused() {
        Attention packed = Attention.builder()
                .cumulativeLengths(new int[] {0, 1, 4}, new int[] {0, 1, 4})
                .build();
        Inputs inputs = Inputs.of(new AttentionProblem(1, 1, 1, 4, 4, 4, 4, DType.FLOAT32, packed));
        assertThatIllegalArgumentException().isThrownBy(() -> SampledOracle.of(inputs, ALL));
    }

    private static Tensor right(Inputs inputs) {
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            return engine.attend(inputs.query(), inputs.key(), inputs.value(), inputs.attention())
                    .output();
        }
    }

    private static AttentionResult result(Tensor output) {
        return new AttentionResult(output, null, null, "given");
    }
}
