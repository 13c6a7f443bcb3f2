package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention over parts of the keys, merged, is attention over all of them. */
class MergeTest {
    private static final int PROBLEMS = 40;
    private static final int PROBLEMS_ON_EMULATOR = 6;
    private static final Attention WEIGHED = Attention.builder().logSumExp(true).build();

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    /** Random cuts, so that parts have one key or many; rows that a mask leaves without keys in some or all of them; sinks. */
    @ParameterizedTest
    @MethodSource("engines")
    void partsAreTheWhole(EngineInfo info) {
        int problems = info.kind() == EngineInfo.Kind.EMULATOR ? PROBLEMS_ON_EMULATOR : PROBLEMS;
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int seed = 0; seed < problems; seed++) {
                Random random = new Random(seed);
                int queries = 1 + random.nextInt(6);
                int keys = 1 + random.nextInt(40);
                int valueDim = 1 + random.nextInt(35);
                Tensor query = Tensor.random(seed, 2, 4, queries, 9);
                Tensor key = Tensor.random(seed + 1, 2, 2, keys, 9);
                Tensor value = Tensor.random(seed + 2, 2, 2, keys, valueDim);
                boolean[] seen = new boolean[queries * keys];
                for (int n = 0; n < seen.length; n++) {
                    seen[n] = n / keys > 0 && random.nextInt(3) > 0;
                }
                Tensor mask = Tensor.of(seen, queries, keys);
                float[] sinks = random.nextBoolean() ? new float[] {1, -2, 3, 0} : new float[0];
                Attention attention =
                        WEIGHED.toBuilder().mask(mask).sinks(sinks).build();
                Tensor queryThere = engine.upload(query);
                List<AttentionResult> parts = new ArrayList<>();
                for (int from = 0; from < keys; ) {
                    int to = Math.min(keys, from + 1 + random.nextInt(15));
                    Attention part = WEIGHED.toBuilder()
                            .mask(mask.slice(1, from, to))
                            .sinks(from == 0 ? sinks : new float[0])
                            .build();
                    parts.add(engine.attend(
                            random.nextBoolean() ? query : queryThere,
                            key.slice(2, from, to),
                            value.slice(2, from, to),
                            part));
                    from = to;
                }
                try (AttentionResult merged = engine.merge(parts)) {
                    AttentionResult here = new AttentionResult(
                            engine.download(merged.output()), null, engine.download(merged.logSumExp()), merged.plan());
                    assertThat(merged.output().isOnHost())
                            .isEqualTo(parts.get(0).output().isOnHost());
                    assertThat(Yardstick.of(query, key, value, attention).measure(here, attention))
                            .as("seed " + seed)
                            .allMatch(Deviation::isAllowed);
                }
                parts.forEach(AttentionResult::close);
                queryThere.close();
            }
        }
    }

    /** By the formula in double, with log-sum-exps that no sum of exponentials would hold, and outputs in 16 bits. */
    @ParameterizedTest
    @MethodSource("engines")
    void partsCountByTheirLogSumExp(EngineInfo info) {
        float[] logSumExps = {300, 301.5f, Float.NEGATIVE_INFINITY, 299};
        Random random = new Random(7);
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                List<AttentionResult> parts = new ArrayList<>();
                double sum = 0;
                double[] expected = new double[5];
                for (float logSumExp : logSumExps) {
                    boolean empty = logSumExp == Float.NEGATIVE_INFINITY;
                    float[] elements = new float[5];
                    for (int dim = 0; dim < 5; dim++) {
                        elements[dim] = empty ? Float.NaN : random.nextInt(64) / 16f;
                        expected[dim] += empty ? 0 : Math.exp(logSumExp - 300) * elements[dim];
                    }
                    sum += Math.exp(logSumExp - 300);
                    // A view, as of heads that lie beside each other.
                    Tensor output = Tensor.of(elements, 1, 1, 1, 5).to(dtype).broadcast(1, 2, 3, 5);
                    parts.add(new AttentionResult(output, null, rows(logSumExp), "elsewhere"));
                }
                try (AttentionResult merged = engine.merge(parts)) {
                    assertThat(merged.output().dtype()).isEqualTo(dtype);
                    float[] output = merged.output().toFloatArray();
                    for (int n = 0; n < output.length; n++) {
                        double mean = expected[n % 5] / sum;
                        double step = dtype == DType.FLOAT32 ? 1e-6 : dtype == DType.FLOAT16 ? 5e-4 : 4e-3;
                        assertThat((double) output[n]).isEqualTo(mean, within(step * mean));
                    }
                    for (float logSumExp : merged.logSumExp().toFloatArray()) {
                        assertThat((double) logSumExp).isEqualTo(300 + Math.log(sum), within(3e-5));
                    }
                }
            }
        }
    }

    /** One part is what it was; none with a key leaves 0 and minus infinity; NaN stays. */
    @ParameterizedTest
    @MethodSource("engines")
    void partsThatAreSpecial(EngineInfo info) {
        Tensor output = Tensor.random(3, 1, 2, 3, 5);
        AttentionResult part = new AttentionResult(output, null, rows(2.5f), "elsewhere");
        AttentionResult none = new AttentionResult(output, null, rows(Float.NEGATIVE_INFINITY), "elsewhere");
        AttentionResult unknown = new AttentionResult(output, null, rows(Float.NaN), "elsewhere");
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (List<AttentionResult> parts : List.of(List.of(part), List.of(none, part, none))) {
                try (AttentionResult merged = engine.merge(parts)) {
                    assertThat(merged.output().toFloatArray()).containsExactly(output.toFloatArray());
                    assertThat(merged.logSumExp().toFloatArray()).containsOnly(2.5f);
                }
            }
            try (AttentionResult merged = engine.merge(List.of(none, none))) {
                assertThat(merged.output().toFloatArray()).containsOnly(0);
                assertThat(merged.logSumExp().toFloatArray()).containsOnly(Float.NEGATIVE_INFINITY);
            }
            try (AttentionResult merged = engine.merge(List.of(part, unknown))) {
                assertThat(merged.output().toFloatArray()).containsOnly(Float.NaN);
                assertThat(merged.logSumExp().toFloatArray()).containsOnly(Float.NaN);
            }
            AttentionResult nothing =
                    new AttentionResult(output.slice(2, 0, 0), null, rows(1).slice(2, 0, 0), "elsewhere");
            try (AttentionResult merged = engine.merge(List.of(nothing, nothing))) {
                assertThat(merged.output().shape()).containsExactly(1, 2, 0, 5);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatDoesNotFitIsRefusedByName(EngineInfo info) {
        Tensor output = Tensor.random(3, 1, 2, 3, 5);
        AttentionResult part = new AttentionResult(output, null, rows(1), "elsewhere");
        AttentionEngine engine = TestEngines.open(info);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> engine.merge(List.of()))
                .withMessage("parts: none, must be one or more results");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> engine.merge(
                        List.of(part, new AttentionResult(output.slice(3, 0, 4), null, rows(1), "elsewhere"))))
                .withMessage("parts[1]: output of shape [1, 2, 3, 4], must be [batch, heads, queries, valueDim], "
                        + "[1, 2, 3, 5] as the first part's");
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        engine.merge(List.of(new AttentionResult(output, null, rows(1).slice(2, 0, 2), "elsewhere"))))
                .withMessageStartingWith("parts[0]: log-sum-exp Tensor[1, 2, 2] FLOAT32")
                .withMessageEndingWith("must be FLOAT32 of shape [1, 2, 3] as its output has");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> engine.merge(
                        List.of(new AttentionResult(output.to(DType.FLOAT64), null, rows(1), "elsewhere"))))
                .withMessage(
                        "parts[0] output: type FLOAT64, must be FLOAT32, FLOAT16 or BFLOAT16 (Tensor.to converts)");
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.merge(List.of(new AttentionResult(output, null, null, "elsewhere"))))
                .withMessageStartingWith("logSumExp: not asked for");
        Tensor closed = Tensor.random(3, 1, 2, 3, 5);
        closed.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.merge(List.of(part, new AttentionResult(closed, null, rows(1), "elsewhere"))))
                .withMessage("parts[1]: the tensor is closed, must be open");
        try (AttentionEngine other = TestEngines.open(TestEngines.openCl().get(0));
                Tensor elsewhere = other.upload(output)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() ->
                            engine.merge(List.of(part, new AttentionResult(elsewhere, null, rows(1), "elsewhere"))))
                    .withMessageStartingWith("parts: ");
        }
        engine.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.merge(List.of(part)))
                .withMessageContaining("closed");
    }

    /** The log-sum-exp of each row of [1, 2, 3]. */
    private static Tensor rows(float logSumExp) {
        float[] rows = new float[6];
        Arrays.fill(rows, logSumExp);
        return Tensor.of(rows, 1, 2, 3);
    }
}
