package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.spi.ScoreTerms;
import dev.attention4j.spi.Slice;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Score and mask expressions in attention: against built-in options, and against formulas in plain Java. */
class ScoreExpressionsTest {
    private static final Tensor QUERY = Tensor.random(1, 2, 4, 33, 8);
    private static final Tensor KEY = Tensor.random(2, 2, 2, 70, 8);
    private static final Tensor VALUE = Tensor.random(3, 2, 2, 70, 5);

    private static float[] attend(String engine, AttentionBuilder what) {
        try (AttentionEngine opened = Engines.open(engine, EngineOptions.DEFAULT);
                AttentionResult result = opened.attend(QUERY, KEY, VALUE, what.build())) {
            return result.output().toFloatArray();
        }
    }

    private static void assertNear(float[] got, float[] want) {
        for (int n = 0; n < want.length; n++) {
            assertThat(got[n]).as("element " + n).isCloseTo(want[n], within(2e-6f));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"oracle", "cpu"})
    void alibiSoftcapCausalAndWindowAreExpressions(String engine) {
        float[] slopes = AttentionBuilder.geometricSlopes(4);
        AttentionBuilder bottomRight = Attention.builder().align(Alignment.BOTTOM_RIGHT);
        assertNear(
                attend(
                        engine,
                        bottomRight.score(
                                "score - slope[head] * abs(position - key)",
                                ScoreParameters.NONE.with("slope", slopes))),
                attend(engine, Attention.builder().align(Alignment.BOTTOM_RIGHT).alibiSlopes(slopes)));
        assertNear(
                attend(
                        engine,
                        Attention.builder().score("cap * tanh(score / cap)", ScoreParameters.NONE.with("cap", 2.5))),
                attend(engine, Attention.builder().softcap(2.5)));
        assertNear(
                attend(
                        engine,
                        Attention.builder()
                                .align(Alignment.BOTTOM_RIGHT)
                                .maskIf("key <= position && key >= position - 7")),
                attend(
                        engine,
                        Attention.builder().causal(Alignment.BOTTOM_RIGHT).window(7, -1)));
        assertNear(
                attend(engine, Attention.builder().score("key <= position ? score : -infinity")),
                attend(engine, Attention.builder().causal(Alignment.TOP_LEFT)));
    }

    /** The order: softcap, score expression, ALiBi, bias, masks. */
    @Test
    void theExpressionComesAfterSoftcapAndBeforeTheRest() {
        float[] bias = new float[33 * 70];
        boolean[] mask = new boolean[33 * 70];
        Random random = new Random(5);
        for (int n = 0; n < bias.length; n++) {
            bias[n] = (float) random.nextGaussian();
            mask[n] = random.nextInt(3) > 0;
        }
        Attention attention = Attention.builder()
                .scale(0.7)
                .softcap(1.5)
                .score("score * score + 3")
                .alibiSlopes(1, 2, 3, 4)
                .bias(Tensor.of(bias, 33, 70))
                .mask(Tensor.of(mask, 33, 70))
                .maskIf("key % 5 != 2")
                .weights(true)
                .build();
        float[] q = QUERY.toFloatArray();
        float[] k = KEY.toFloatArray();
        try (AttentionEngine oracle = Engines.open("oracle", EngineOptions.DEFAULT)) {
            float[] weights =
                    oracle.attend(QUERY, KEY, VALUE, attention).weights().toFloatArray();
            for (int row = 0; row < 2 * 4 * 33; row++) {
                int query = row % 33;
                int head = row / 33 % 4;
                int keyRow = (row / 33 / 4 * 2 + head / 2) * 70;
                double[] terms = new double[70];
                double sum = 0;
                for (int key = 0; key < 70; key++) {
                    double dot = 0;
                    for (int d = 0; d < 8; d++) {
                        dot += q[row * 8 + d] * k[(keyRow + key) * 8 + d];
                    }
                    double capped = 1.5 * Math.tanh(0.7 * dot / 1.5);
                    double score = capped * capped + 3 - (head + 1) * Math.abs(query - key) + bias[query * 70 + key];
                    terms[key] = mask[query * 70 + key] && key % 5 != 2 ? Math.exp(score) : 0;
                    sum += terms[key];
                }
                for (int key = 0; key < 70; key++) {
                    assertThat((double) weights[row * 70 + key]).isCloseTo(terms[key] / sum, within(1e-6));
                }
            }
        }
    }

    @Test
    void theCpuEngineIsWithinTheYardstick() {
        ScoreParameters parameters = ScoreParameters.NONE.with("slope", new float[] {0.1f, 0.2f, 0.3f, 0.4f});
        Attention attention = Attention.builder()
                .score(
                        "score * exp(-slope[head] * abs(query - key)) + tanh(score) * (batch - keyValueHead)",
                        parameters)
                .maskIf("(query + key) % w != 1", ScoreParameters.NONE.with("w", 3))
                .logSumExp(true)
                .weights(true)
                .build();
        Yardstick yardstick = Yardstick.of(QUERY, KEY, VALUE, attention);
        try (AttentionEngine cpu = Engines.open("cpu", EngineOptions.DEFAULT)) {
            List<Deviation> deviations = yardstick.measure(cpu.attend(QUERY, KEY, VALUE, attention), attention);
            assertThat(deviations).hasSize(3).allMatch(Deviation::isAllowed);
        }
    }

    /** A masked score stays masked, whatever its expression gives; NaN at another stays NaN. */
    @ParameterizedTest
    @ValueSource(strings = {"oracle", "cpu"})
    void maskedScoresStayMaskedAndNanStaysNan(String engine) {
        float[] masked = attend(
                engine,
                Attention.builder().score("key > 3 ? sqrt(-1.0) : score").maskIf("key <= 3"));
        float[] plain = attend(engine, Attention.builder().maskIf("key <= 3"));
        assertThat(masked).containsExactly(plain);
        float[] nan = attend(engine, Attention.builder().score("query == 0 && key == 3 ? sqrt(-1.0) : score"));
        assertThat(nan[0]).isNaN();
        assertThat(nan[5 * 33 - 1]).isFinite();
        float[] none = attend(engine, Attention.builder().score("0.0").maskIf("query > 0"));
        assertThat(none).startsWith(0, 0, 0, 0, 0);
    }

    /** A part of a problem counts batch rows, heads and queries in the whole. */
    @Test
    void aSliceCountsInTheWhole() {
        AttentionProblem problem = AttentionProblem.of(
                QUERY,
                KEY,
                VALUE,
                Attention.builder()
                        .score("score + batch + 2 * head + 3 * keyValueHead + 5 * query * key + position + queryLength")
                        .maskIf("(batch + head + keyValueHead + query + key) % 3 != 0")
                        .build());
        Slice slice = new Slice(1, 1, 2, 2, 7, 11);
        AttentionProblem part = AttentionProblem.of(
                slice.ofQuery(QUERY),
                slice.ofKeys(problem, KEY),
                slice.ofKeys(problem, VALUE),
                slice.operation(problem));
        float[] whole = new float[70];
        float[] ofPart = new float[70];
        ScoreTerms terms = new ScoreTerms(problem);
        ScoreTerms partTerms = new ScoreTerms(part);
        terms.change(1, 3, 10, problem.keyRange(1, 10), 0, 70, whole);
        partTerms.change(0, 1, 3, part.keyRange(0, 3), 0, 70, ofPart);
        assertThat(ofPart).containsExactly(whole);
        assertThat(whole[2]).isEqualTo(1 + 6 + 3 + 100 + 10 + 33);
        terms.read(1, 3, 10, problem.keyRange(1, 10), 0, 70, whole, new float[70]);
        partTerms.read(0, 1, 3, part.keyRange(0, 3), 0, 70, ofPart, new float[70]);
        assertThat(ofPart).containsExactly(whole);
    }
}
