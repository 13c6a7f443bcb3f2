package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Key lengths, packed sequences, ALiBi and sinks on every engine and plan: by numbers that are worked out by hand, and
 * against what each stands for, done without it.
 */
class LengthsAlibiAndSinksTest {
    private static final Offset<Float> NEAR = within(2e-6f);

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    /** Output and log-sum-exp as arrays. */
    @SuppressWarnings("ArrayRecordComponent") // They are never compared as a whole.
    private record Numbers(float[] output, float[] logSumExp) {}

    private static Numbers attend(
            AttentionEngine engine, Tensor query, Tensor key, Tensor value, AttentionBuilder what) {
        try (AttentionResult result =
                engine.attend(query, key, value, what.logSumExp(true).build())) {
            return new Numbers(
                    result.output().toFloatArray(), result.logSumExp().toFloatArray());
        }
    }

    private static void assertNear(float[] got, float... want) {
        assertThat(got).hasSameSizeAs(want);
        for (int n = 0; n < want.length; n++) {
            if (Float.isInfinite(want[n])) {
                assertThat(got[n]).as("at " + n).isEqualTo(want[n]);
            } else {
                assertThat(got[n]).as("at " + n).isCloseTo(want[n], NEAR);
            }
        }
    }

    private static float ln(double x) {
        return (float) Math.log(x);
    }

    // ---- by hand: the query is 0, so that every score is 0 until an option adds to it

    private static final float NONE = Float.NEGATIVE_INFINITY;

    private static Tensor zeros(long... shape) {
        return Tensor.zeros(DType.FLOAT32, shape);
    }

    /** Values 1, 2, 4, 8 … in each batch row and head, a number each. */
    private static Tensor powers(int batch, int heads, int keys) {
        float[] values = new float[batch * heads * keys];
        for (int n = 0; n < values.length; n++) {
            values[n] = 1 << n % keys;
        }
        return Tensor.of(values, batch, heads, keys, 1);
    }

    @ParameterizedTest
    @MethodSource("plans")
    void byHandKeyLengthsAndBottomRight(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            Tensor query = zeros(3, 1, 2, 4);
            Tensor key = Tensor.random(1, 3, 1, 4, 4);
            Tensor value = powers(3, 1, 4);
            Numbers plain =
                    attend(engine, query, key, value, Attention.builder().keyLengths(3, 1, 0));
            assertNear(plain.output, 7 / 3f, 7 / 3f, 1, 1, 0, 0);
            assertNear(plain.logSumExp, ln(3), ln(3), 0, 0, NONE, NONE);

            // The last query has the position of the last key: key 2 of 3; key 0 of 1, and the first query is before
            // it.
            Numbers causal = attend(
                    engine,
                    query,
                    key,
                    value,
                    Attention.builder().keyLengths(3, 1, 0).causal(Alignment.BOTTOM_RIGHT));
            assertNear(causal.output, 3 / 2f, 7 / 3f, 0, 1, 0, 0);
            assertNear(causal.logSumExp, ln(2), ln(3), NONE, 0, NONE, NONE);

            Numbers window = attend(
                    engine,
                    query,
                    key,
                    value,
                    Attention.builder().keyLengths(4).window(1, 0).align(Alignment.BOTTOM_RIGHT));
            assertNear(window.output, 3, 6, 3, 6, 3, 6);
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void byHandPackedSequences(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            Tensor query = zeros(1, 1, 4, 4);
            Tensor key = Tensor.random(1, 1, 1, 5, 4);
            Tensor value = powers(1, 1, 5);
            // Queries 0 and 1 attend to keys 0 to 2; none attends to key 3; query 2 has no key; query 3 attends to key
            // 4.
            int[] queries = {0, 2, 2, 3, 4};
            int[] keys = {0, 3, 4, 4, 5};
            Numbers plain =
                    attend(engine, query, key, value, Attention.builder().cumulativeLengths(queries, keys));
            assertNear(plain.output, 7 / 3f, 7 / 3f, 0, 16);
            assertNear(plain.logSumExp, ln(3), ln(3), NONE, 0);

            Numbers topLeft = attend(
                    engine,
                    query,
                    key,
                    value,
                    Attention.builder().cumulativeLengths(queries, keys).causal(Alignment.TOP_LEFT));
            assertNear(topLeft.output, 1, 3 / 2f, 0, 16);
            Numbers bottomRight = attend(
                    engine,
                    query,
                    key,
                    value,
                    Attention.builder().cumulativeLengths(queries, keys).causal(Alignment.BOTTOM_RIGHT));
            assertNear(bottomRight.output, 3 / 2f, 7 / 3f, 0, 16);
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void byHandAlibi(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            Tensor query = zeros(1, 2, 2, 4);
            Tensor key = Tensor.random(1, 1, 2, 3, 4);
            Tensor value = powers(1, 2, 3);
            // Each key further away halves the weight in head 0, and doubles it in head 1.
            AttentionBuilder slopes = Attention.builder().alibiSlopes(ln(2), -ln(2));
            Numbers topLeft = attend(engine, query, key, value, slopes);
            assertNear(topLeft.output, 12 / 7f, 9 / 4f, 3, 12 / 5f);
            assertNear(topLeft.logSumExp, ln(7 / 4.0), ln(2), ln(7), ln(5));

            Numbers bottomRight = attend(engine, query, key, value, slopes.align(Alignment.BOTTOM_RIGHT));
            assertNear(bottomRight.output, 9 / 4f, 3, 12 / 5f, 12 / 7f);

            // Of the two keys that are there: 1 and 2, at distances 0 and 1, then 1 and 0.
            Numbers lengths = attend(engine, query, key, value, slopes.keyLengths(2));
            assertNear(lengths.output, 4 / 3f, 5 / 3f, 5 / 3f, 4 / 3f);
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void byHandSinks(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            Tensor query = zeros(2, 2, 1, 4);
            Tensor key = Tensor.random(1, 2, 2, 2, 4);
            Tensor value = powers(2, 2, 2);
            AttentionBuilder sinks = Attention.builder().sinks(0, NONE).keyLengths(2, 0);
            Numbers numbers = attend(engine, query, key, value, sinks);
            // The sink is as likely as each key; where there is no key it is all there is.
            assertNear(numbers.output, 1, 3 / 2f, 0, 0);
            assertNear(numbers.logSumExp, ln(3), ln(2), 0, NONE);

            Attention withWeights = sinks.weights(true).build();
            AttentionProblem problem = AttentionProblem.of(query, key, value, withWeights);
            if (hasWeights(engine, problem)) {
                try (AttentionResult result = engine.attend(query, key, value, withWeights)) {
                    assertNear(result.weights().toFloatArray(), 1 / 3f, 1 / 3f, 1 / 2f, 1 / 2f, 0, 0, 0, 0);
                }
            }
        }
    }

    private static boolean hasWeights(AttentionEngine engine, AttentionProblem problem) {
        try {
            engine.explain(problem);
            return true;
        } catch (UnsupportedPlanException e) {
            return false;
        }
    }

    // ---- against what each stands for

    private static final int[] QUERIES = {0, 3, 3, 20, 21, 61};
    private static final int[] KEYS = {0, 5, 9, 9, 42, 106};

    /** Options that differ for each sequence, as a function of their number and of the one that is tested. */
    private static List<AttentionBuilder> perSequence(int sequence) {
        int[] offsets = {1, -2, 0, 7, -3};
        float[] slopes = new float[5 * 4];
        for (int n = 0; n < slopes.length; n++) {
            slopes[n] = 0.03f * (n - 6);
        }
        boolean all = sequence < 0;
        return List.of(
                Attention.builder(),
                Attention.builder().causal(Alignment.TOP_LEFT).softcap(3),
                Attention.builder().causal(Alignment.BOTTOM_RIGHT).sinks(0.5f, NONE, -1, 2),
                Attention.builder()
                        .window(4, 2)
                        .align(Alignment.BOTTOM_RIGHT)
                        .alibiSlopes(AttentionBuilder.geometricSlopes(4)),
                Attention.builder().causalOffsets(all ? offsets : new int[] {offsets[sequence]}),
                Attention.builder()
                        .alibiSlopes(all ? slopes : Arrays.copyOfRange(slopes, 4 * sequence, 4 * sequence + 4)));
    }

    @ParameterizedTest
    @MethodSource("plans")
    void packedSequencesAreSeparateCalls(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 1, 4, 61, 20);
        Tensor key = Tensor.random(2, 1, 2, 106, 20);
        Tensor value = Tensor.random(3, 1, 2, 106, 24);
        try (AttentionEngine engine = enginePlan.open()) {
            for (int option = 0; option < perSequence(-1).size(); option++) {
                Attention packed = perSequence(-1)
                        .get(option)
                        .cumulativeLengths(QUERIES, KEYS)
                        .logSumExp(true)
                        .build();
                try (AttentionResult whole = engine.attend(query, key, value, packed)) {
                    for (int s = 0; s < QUERIES.length - 1; s++) {
                        Numbers alone = attend(
                                engine,
                                query.slice(2, QUERIES[s], QUERIES[s + 1]),
                                key.slice(2, KEYS[s], KEYS[s + 1]),
                                value.slice(2, KEYS[s], KEYS[s + 1]),
                                perSequence(s).get(option));
                        assertNear(part(whole.output(), s), alone.output);
                        assertNear(part(whole.logSumExp(), s), alone.logSumExp);
                    }
                }
            }
        }
    }

    private static float[] part(Tensor whole, int sequence) {
        return whole.slice(2, QUERIES[sequence], QUERIES[sequence + 1]).toFloatArray();
    }

    @ParameterizedTest
    @MethodSource("plans")
    void keyLengthsAreSlices(EnginePlan enginePlan) {
        int[] lengths = {33, 0, 1, 40};
        Tensor query = Tensor.random(1, 4, 4, 13, 20);
        Tensor key = Tensor.random(2, 4, 2, 40, 20);
        Tensor value = Tensor.random(3, 4, 2, 40, 24);
        poison(key, lengths);
        poison(value, lengths);
        try (AttentionEngine engine = enginePlan.open()) {
            for (AttentionBuilder option : List.of(
                    Attention.builder(),
                    Attention.builder().causal(Alignment.BOTTOM_RIGHT),
                    Attention.builder().window(5, 5).align(Alignment.BOTTOM_RIGHT),
                    Attention.builder()
                            .alibiSlopes(AttentionBuilder.geometricSlopes(4))
                            .align(Alignment.BOTTOM_RIGHT),
                    Attention.builder().sinks(0.5f, NONE, -1, 2))) {
                Attention attention = option.logSumExp(true).build();
                try (AttentionResult padded = engine.attend(
                        query,
                        key,
                        value,
                        attention.toBuilder().keyLengths(lengths).build())) {
                    for (int row = 0; row < lengths.length; row++) {
                        Numbers alone = attend(
                                engine,
                                query.slice(0, row, row + 1),
                                key.slice(0, row, row + 1).slice(2, 0, lengths[row]),
                                value.slice(0, row, row + 1).slice(2, 0, lengths[row]),
                                attention.toBuilder());
                        assertNear(padded.output().slice(0, row, row + 1).toFloatArray(), alone.output);
                        assertNear(padded.logSumExp().slice(0, row, row + 1).toFloatArray(), alone.logSumExp);
                    }
                }
            }
        }
    }

    private static void poison(Tensor tensor, int... lengths) {
        int width = (int) tensor.size(3);
        int rows = (int) tensor.size(2);
        for (int n = 0; n < tensor.elementCount(); n++) {
            if (n / width % rows >= lengths[n / width / rows / (int) tensor.size(1)]) {
                tensor.floats().put(n, Float.NaN);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void alibiIsABias(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 2, 3, 17, 20);
        Tensor key = Tensor.random(2, 2, 3, 37, 20);
        Tensor value = Tensor.random(3, 2, 3, 37, 20);
        float[] slopes = {0.25f, -0.125f, 0, 0.5f, 0.0625f, 1};
        for (Alignment alignment : Alignment.values()) {
            int offset = alignment == Alignment.TOP_LEFT ? 0 : 37 - 17;
            float[] bias = new float[6 * 17 * 37];
            for (int n = 0; n < bias.length; n++) {
                bias[n] = -slopes[n / 37 / 17] * Math.abs(n / 37 % 17 + offset - n % 37);
            }
            try (AttentionEngine engine = enginePlan.open()) {
                Numbers want = attend(
                        engine,
                        query,
                        key,
                        value,
                        Attention.builder().softcap(2).bias(Tensor.of(bias, 2, 3, 17, 37)));
                Numbers got = attend(
                        engine,
                        query,
                        key,
                        value,
                        Attention.builder().softcap(2).alibiSlopes(slopes).align(alignment));
                assertNear(got.output, want.output);
                assertNear(got.logSumExp, want.logSumExp);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void aSinkIsAKeyWithoutValue(EnginePlan enginePlan) {
        int keys = 37;
        Tensor query = Tensor.random(1, 1, 2, 17, 20);
        Tensor key = zeroRow(Tensor.random(2, 1, 2, keys + 1, 20), keys);
        Tensor value = zeroRow(Tensor.random(3, 1, 2, keys + 1, 24), keys);
        float[] sinks = {1.5f, -0.75f};
        // A key of zeros scores 0 with every query, and the bias makes its logit of that.
        float[] bias = new float[2 * (keys + 1)];
        bias[keys] = sinks[0];
        bias[2 * keys + 1] = sinks[1];
        try (AttentionEngine engine = enginePlan.open()) {
            Numbers want = attend(engine, query, key, value, Attention.builder().bias(Tensor.of(bias, 2, 1, keys + 1)));
            Numbers got = attend(
                    engine,
                    query,
                    key.slice(2, 0, keys),
                    value.slice(2, 0, keys),
                    Attention.builder().sinks(sinks));
            assertNear(got.output, want.output);
            assertNear(got.logSumExp, want.logSumExp);
        }
    }

    private static Tensor zeroRow(Tensor tensor, int row) {
        int width = (int) tensor.size(3);
        for (int n = 0; n < tensor.elementCount(); n++) {
            if (n / width % tensor.size(2) == row) {
                tensor.floats().put(n, 0);
            }
        }
        return tensor;
    }
}
