package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Dropout of weights: the same weights on every engine and plan, forward and backward, and of parts of a call. */
class DropoutTest {
    private static final int KEYS = 75;
    /** Of the weights that are looked at in a call: for more, kernels are built anew. */
    private static final int COLUMNS = 25;

    private static final double RATE = 0.3;
    private static final long SEED = 0xfedc_ba98_7654_3210L;

    static List<EnginePlan> quickPlans() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(plan -> plan.info().kind() != EngineInfo.Kind.EMULATOR)
                .toList();
    }

    static List<EngineInfo> quickEngines() {
        return TestEngines.underTest().stream()
                .filter(info -> info.kind() != EngineInfo.Kind.EMULATOR)
                .toList();
    }

    /** One plan of it, most of whose kernels other tests need too: an emulator takes half a minute to build one. */
    static List<EnginePlan> emulators() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(plan -> plan.info().kind() == EngineInfo.Kind.EMULATOR)
                .filter(plan -> plan.plan().equals("staged"))
                .toList();
    }

    /** For each key/value head of two batch rows some columns of the identity: as values they make the output the weights. */
    private static Tensor identity(int firstColumn) {
        float[] ones = new float[4 * KEYS * COLUMNS];
        for (int n = 0; n < 4 * COLUMNS; n++) {
            int column = n % COLUMNS;
            ones[(n / COLUMNS * KEYS + firstColumn + column) * COLUMNS + column] = 1;
        }
        return Tensor.of(ones, 2, 2, KEYS, COLUMNS);
    }

    /** Holds the weights to those of the softmax and to Philox's words. */
    private static void checkWeights(AttentionEngine engine, int queries) {
        Tensor query = Tensor.random(1, 2, 4, queries, 9);
        Tensor key = Tensor.random(2, 2, 2, KEYS, 9);
        Attention whole = Attention.builder().weights(true).logSumExp(true).build();
        Attention dropping =
                Attention.builder().dropout(RATE, SEED).logSumExp(true).build();
        for (int first = 0; first < KEYS; first += COLUMNS) {
            try (AttentionEngine oracle = AttentionEngine.open("oracle");
                    AttentionResult softmax = oracle.attend(query, key, key, whole);
                    AttentionResult dropped = engine.attend(query, key, identity(first), dropping)) {
                float[] weights = softmax.weights().toFloatArray();
                float[] output = dropped.output().toFloatArray();
                for (int n = 0; n < output.length; n++) {
                    int row = n / COLUMNS;
                    int column = first + n % COLUMNS;
                    float weight = weights[row * KEYS + column];
                    if (isKept(row / queries / 4, row / queries % 4, row % queries, column)) {
                        assertThat(output[n]).isEqualTo((float) (weight / (1 - RATE)), within(1e-5f * weight));
                    } else {
                        assertThat(output[n]).isZero();
                    }
                }
                assertThat(dropped.logSumExp().toFloatArray())
                        .containsExactly(softmax.logSumExp().toFloatArray(), within(1e-5f));
            }
        }
    }

    /** By Philox as Salmon et al. write it, with a wide product for each of the two halves. */
    private static boolean isKept(int batch, int head, int query, int key) {
        long[] c = {key / 4, query, head, batch};
        long k0 = SEED & 0xffffffffL;
        long k1 = SEED >>> 32;
        for (int round = 0; round < 10; round++) {
            long p0 = c[0] * 0xD2511F53L;
            long p1 = c[2] * 0xCD9E8D57L;
            c = new long[] {
                p1 >>> 32 ^ c[1] ^ k0, p1 & 0xffffffffL, p0 >>> 32 ^ c[3] ^ k1, p0 & 0xffffffffL,
            };
            k0 = k0 + 0x9E3779B9L & 0xffffffffL;
            k1 = k1 + 0xBB67AE85L & 0xffffffffL;
        }
        return c[key % 4] >= Math.round(RATE * 0x1p32);
    }

    @ParameterizedTest
    @MethodSource("quickPlans")
    void theSameWeightsAreDroppedEverywhere(EnginePlan plan) {
        try (AttentionEngine engine = plan.open()) {
            checkWeights(engine, 3);
            if (!plan.plan().equals("tiles")) {
                checkWeights(engine, 50);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("emulators")
    void theSameWeightsAreDroppedOnEmulators(EnginePlan plan) {
        try (AttentionEngine engine = plan.open()) {
            checkWeights(engine, 3);
        }
    }

    /** All that hides, changes and packs, with widths, lengths and ranges that begin anywhere. */
    @ParameterizedTest
    @MethodSource("quickPlans")
    void withOtherOptions(EnginePlan plan) {
        try (AttentionEngine engine = plan.open()) {
            Tensor query = Tensor.random(1, 1, 6, 70, 20);
            Tensor key = Tensor.random(2, 1, 2, 130, 20);
            Tensor value = Tensor.random(3, 1, 2, 130, 13);
            Attention window = Attention.builder()
                    .dropout(0.4, 11)
                    .window(21, 3)
                    .align(Alignment.BOTTOM_RIGHT)
                    .sinks(1, 0, 2, -1, 0, 3)
                    .logSumExp(true)
                    .build();
            Attention packed = Attention.builder()
                    .dropout(0.4, 12)
                    .cumulativeLengths(new int[] {0, 31, 33, 70}, new int[] {0, 50, 51, 130})
                    .build();
            Attention expressed = Attention.builder()
                    .score("score * 0.5 + 0.01 * head")
                    .maskIf("key / 20 <= query / 7")
                    .dropout(0.4, 13)
                    .build();
            YardstickCheck.check(engine, query, key, value, window, plan + " window");
            YardstickCheck.check(engine, query, key, value, packed, plan + " packed");
            // Builds of this plan take CPU drivers longest.
            if (!plan.plan().equals("tiles")) {
                YardstickCheck.check(engine, query.slice(2, 0, 2), key, value, window, plan + " few queries");
                YardstickCheck.check(engine, query, key, value, expressed, plan + " expressions");
            }
        }
    }

    /** Slices of a call that has little memory, and blocks of queries of the staged plan, drop what the whole drops. */
    @ParameterizedTest
    @MethodSource("quickPlans")
    void aPartDropsWhatTheWholeDrops(EnginePlan plan) {
        Tensor query = Tensor.random(1, 2, 4, 40, 8);
        Tensor key = Tensor.random(2, 2, 2, 1300, 8);
        Attention attention = Attention.builder().dropout(0.5, 3).build();
        try (AttentionEngine engine = plan.open();
                AttentionEngine small = plan.open(TestEngines.options().withMaxScratchBytes(40_000));
                AttentionResult whole = engine.attend(query, key, key, attention);
                AttentionResult parts = small.attend(query, key, key, attention)) {
            float[] expected = whole.output().toFloatArray();
            float[] got = parts.output().toFloatArray();
            for (int n = 0; n < expected.length; n++) {
                assertThat(got[n]).isEqualTo(expected[n], within(1e-5f));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("quickPlans")
    void whatIsDroppedIsLeftOut(EnginePlan plan) {
        Tensor query = Tensor.random(1, 1, 1, 40, 8);
        Tensor key = Tensor.random(2, 1, 1, 10, 8);
        Tensor value = Tensor.random(3, 1, 1, 10, 5);
        for (int d = 0; d < 5; d++) {
            value.floats().put(5 * 4 + d, d % 2 == 0 ? Float.NaN : Float.NEGATIVE_INFINITY);
        }
        Attention attention = Attention.builder().dropout(0.7, SEED).build();
        try (AttentionEngine engine = plan.open()) {
            YardstickCheck.check(engine, query, key, value, attention, plan.toString());
            // A score that is NaN is in the sum of all, even where every weight of the row is dropped.
            query.floats().put(0, Float.NaN);
            Attention dropAll =
                    Attention.builder().dropout(Math.nextDown(1.0), 1).build();
            try (AttentionResult result = engine.attend(query, key, value, dropAll)) {
                float[] output = result.output().toFloatArray();
                assertThat(Arrays.copyOf(output, 5)).containsOnly(Float.NaN);
                assertThat(Arrays.copyOfRange(output, 5, output.length)).containsOnly(0f);
            }
        }
    }

    /** The weights of the result are the softmax's, and their sum is 1. */
    @Test
    void weightsAreThoseBeforeDropout() {
        Tensor tokens = Tensor.random(1, 1, 2, 20, 8);
        Attention plain = Attention.builder().weights(true).build();
        for (String id : List.of("oracle", "cpu")) {
            try (AttentionEngine engine = AttentionEngine.open(id);
                    AttentionResult without = engine.attend(tokens, tokens, tokens, plain);
                    AttentionResult with = engine.attend(
                            tokens,
                            tokens,
                            tokens,
                            plain.toBuilder().dropout(0.5, 1).build())) {
                assertThat(with.weights().toFloatArray())
                        .isEqualTo(without.weights().toFloatArray());
                assertThat(with.output().toFloatArray())
                        .isNotEqualTo(without.output().toFloatArray());
            }
        }
    }

    /** Seeds drop different weights, the same seed the same ones, rate 0 none: the same bits as without. */
    @ParameterizedTest
    @MethodSource("quickEngines")
    void aSeedIsAllThatDecides(EngineInfo info) {
        Tensor tokens = Tensor.random(1, 1, 2, 40, 8);
        try (AttentionEngine engine = TestEngines.open(info)) {
            float[] first = output(engine, tokens, 0.5, 1);
            assertThat(output(engine, tokens, 0.5, 1)).isEqualTo(first);
            assertThat(output(engine, tokens, 0.5, 2)).isNotEqualTo(first);
            assertThat(output(engine, tokens, 0.5, 1L << 32)).isNotEqualTo(first);
            try (AttentionResult plain = engine.attend(tokens, tokens, tokens)) {
                assertThat(output(engine, tokens, 0, 5))
                        .isEqualTo(plain.output().toFloatArray());
            }
        }
    }

    private static float[] output(AttentionEngine engine, Tensor tokens, double rate, long seed) {
        Attention attention = Attention.builder().dropout(rate, seed).build();
        try (AttentionResult result = engine.attend(tokens, tokens, tokens, attention)) {
            return result.output().toFloatArray();
        }
    }

    /** Gradients drop what the output's weights dropped, also where values, queries or gradients are not finite. */
    @ParameterizedTest
    @MethodSource("quickEngines")
    void gradientsDropTheSameWeights(EngineInfo info) {
        Tensor query = Tensor.random(1, 2, 4, 61, 12);
        Tensor key = Tensor.random(2, 2, 2, 133, 12);
        Tensor value = Tensor.random(3, 2, 2, 133, 21);
        Tensor gradient = Tensor.random(4, 2, 4, 61, 21);
        Attention plain = Attention.builder().dropout(RATE, SEED).build();
        Attention all = Attention.builder()
                .dropout(0.6, 5)
                .causal(Alignment.BOTTOM_RIGHT)
                .bias(Tensor.random(6, 4, 1, 133))
                .alibiSlopes(0.5f, 0.25f, 0.1f, 0)
                .sinks(1, 0, -1, 2)
                .build();
        GradientOptions wanted = GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes();
        try (AttentionEngine engine = TestEngines.open(info)) {
            checkGradients(engine, query, key, value, gradient, plain, GradientOptions.DEFAULT);
            checkGradients(engine, query, key, value, gradient, all, wanted);
            value.floats().put(21 * 9, Float.NaN);
            gradient.floats().put(21 * 3, Float.POSITIVE_INFINITY);
            checkGradients(engine, query, key, value, gradient, plain, GradientOptions.DEFAULT);
        }
    }

    private static void checkGradients(
            AttentionEngine engine,
            Tensor query,
            Tensor key,
            Tensor value,
            Tensor gradient,
            Attention attention,
            GradientOptions options) {
        try (AttentionTape tape = engine.attendForGradients(query, key, value, attention);
                AttentionGradients gradients = tape.gradients(gradient, options)) {
            GradientCall call = GradientCall.of(query, key, value, attention, tape.result(), gradient, options);
            assertThat(new GradientYardstick(call).measure(gradients)).allMatch(Deviation::isAllowed);
        }
    }

    @Test
    void isAskedForByARateBelowOne() {
        AttentionBuilder builder = Attention.builder();
        for (double rate : new double[] {1, -0.1, 2, Double.NaN}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.dropout(rate, 1))
                    .withMessage("dropout: rate " + rate + ", must be 0 or more, and less than 1");
        }
        Attention attention = builder.dropout(0.25, -3).build();
        assertThat(attention.dropoutRate()).isEqualTo(0.25);
        assertThat(attention.dropoutSeed()).isEqualTo(-3);
        assertThat(attention).hasToString("Attention[dropout=0.25 by seed -3]");
        assertThat(builder.dropout(0, 9).build()).hasToString("Attention[]");
    }
}
