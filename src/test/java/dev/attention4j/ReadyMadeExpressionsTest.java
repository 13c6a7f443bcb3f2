package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each ready-made expression against its formula in plain Java, as a mask or bias that is given as a tensor. */
class ReadyMadeExpressionsTest {
    private static final int BATCH = 2;
    private static final int HEADS = 2;
    private static final int LENGTH = 24;
    private static final Tensor QUERY = Tensor.random(1, BATCH, HEADS, LENGTH, 4);
    private static final Tensor KEY = Tensor.random(2, BATCH, HEADS, LENGTH, 4);
    private static final int[] DOCUMENT = new int[LENGTH];
    private static final int[] PREFIX = {5, 11};
    private static final boolean[] GLOBAL = new boolean[LENGTH];
    private static final boolean[] DRAWN = new boolean[6 * 6];

    static {
        for (int n = 0; n < LENGTH; n++) {
            DOCUMENT[n] = n < 7 ? 0 : n < 8 ? 1 : n < 19 ? 2 : 3;
            GLOBAL[n] = n % 11 == 3;
        }
        for (int n = 0; n < DRAWN.length; n++) {
            DRAWN[n] = n % 7 == 4;
        }
    }

    /** True where a query of a batch row attends to a key. */
    private interface Formula {
        boolean attends(int batch, int query, int key);
    }

    private static float[] weights(AttentionBuilder builder) {
        try (AttentionEngine cpu = Engines.open("cpu", EngineOptions.DEFAULT);
                AttentionResult result =
                        cpu.attend(QUERY, KEY, KEY, builder.weights(true).build())) {
            return result.weights().toFloatArray();
        }
    }

    static Stream<Arguments> masks() {
        ScoreParameters none = ScoreParameters.NONE;
        return Stream.of(
                mask("CAUSAL", ScoreExpressions.CAUSAL, none, (b, q, k) -> k <= q),
                mask(
                        "SLIDING_WINDOW",
                        ScoreExpressions.SLIDING_WINDOW,
                        none.with("window", 5),
                        (b, q, k) -> k <= q && k > q - 5),
                mask(
                        "DOCUMENTS",
                        ScoreExpressions.DOCUMENTS,
                        none.with("document", DOCUMENT),
                        (b, q, k) -> DOCUMENT[q] == DOCUMENT[k]),
                mask(
                        "DOCUMENTS and CAUSAL",
                        ScoreExpressions.DOCUMENTS.and(ScoreExpressions.CAUSAL),
                        none.with("document", DOCUMENT),
                        (b, q, k) -> DOCUMENT[q] == DOCUMENT[k] && k <= q),
                mask(
                        "PREFIX",
                        ScoreExpressions.PREFIX,
                        none.with("prefix", PREFIX),
                        (b, q, k) -> k <= q || k < PREFIX[b]),
                mask(
                        "DILATED_WINDOW",
                        ScoreExpressions.DILATED_WINDOW,
                        none.with("dilation", 3).with("radius", 2),
                        (b, q, k) -> k == q || Math.abs(q - k) == 3 || Math.abs(q - k) == 6),
                mask(
                        "STRIDED",
                        ScoreExpressions.STRIDED,
                        none.with("stride", 6),
                        (b, q, k) -> k <= q && (k > q - 6 || (q - k) % 6 == 0)),
                mask(
                        "LONGFORMER",
                        ScoreExpressions.LONGFORMER,
                        none.with("radius", 2).with("global", Tensor.of(GLOBAL, LENGTH)),
                        (b, q, k) -> Math.abs(q - k) <= 2 || GLOBAL[q] || GLOBAL[k]),
                mask(
                        "BIG_BIRD",
                        ScoreExpressions.BIG_BIRD,
                        none.with("block", 4).with("global", 1).with("random", Tensor.of(DRAWN, 6, 6)),
                        (b, q, k) -> Math.abs(q / 4 - k / 4) <= 1 || q < 4 || k < 4 || DRAWN[q / 4 * 6 + k / 4]),
                mask(
                        "NEIGHBOURHOOD",
                        ScoreExpressions.NEIGHBOURHOOD,
                        none.with("width", 6).with("radius", 1),
                        (b, q, k) -> Math.max(Math.abs(q / 6 - k / 6), Math.abs(q % 6 - k % 6)) <= 1));
    }

    private static Arguments mask(String name, ScoreExpression mask, ScoreParameters parameters, Formula formula) {
        return Arguments.of(name, mask, parameters, formula);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("masks")
    void masksAreTheirFormulas(String name, ScoreExpression mask, ScoreParameters parameters, Formula formula) {
        boolean[] want = new boolean[BATCH * LENGTH * LENGTH];
        for (int n = 0; n < want.length; n++) {
            want[n] = formula.attends(n / LENGTH / LENGTH, n / LENGTH % LENGTH, n % LENGTH);
        }
        assertThat(want).contains(true).contains(false);
        assertThat(weights(Attention.builder().maskIf(mask, parameters)))
                .containsExactly(weights(Attention.builder().mask(Tensor.of(want, BATCH, 1, LENGTH, LENGTH))));
    }

    /** Drafted tokens 0 1 2 3 4, whose parents are none 0 0 1 3, after 19 keys that all attend to. */
    @Test
    void aTreeIsThatOfItsAncestors() {
        int[] parent = {-1, 0, 0, 1, 3};
        boolean[] ancestor = new boolean[25];
        boolean[] want = new boolean[5 * LENGTH];
        for (int query = 0; query < 5; query++) {
            Arrays.fill(want, query * LENGTH, query * LENGTH + 19, true);
            for (int token = query; token >= 0; token = parent[token]) {
                ancestor[query * 5 + token] = true;
                want[query * LENGTH + 19 + token] = true;
            }
        }
        Tensor drafted = QUERY.slice(2, 0, 5);
        try (AttentionEngine cpu = Engines.open("cpu", EngineOptions.DEFAULT)) {
            Attention tree = Attention.builder()
                    .maskIf(ScoreExpressions.TREE, ScoreParameters.NONE.with("ancestor", Tensor.of(ancestor, 5, 5)))
                    .build();
            Attention mask =
                    Attention.builder().mask(Tensor.of(want, 5, LENGTH)).build();
            assertThat(cpu.attend(drafted, KEY, KEY, tree).output().toFloatArray())
                    .containsExactly(
                            cpu.attend(drafted, KEY, KEY, mask).output().toFloatArray());
        }
    }

    @Test
    void alibiAndSoftcapAreTheBuiltInOptions() {
        float[] slopes = {0.5f, 0.0625f};
        assertNear(
                weights(Attention.builder().score(ScoreExpressions.ALIBI, ScoreParameters.NONE.with("slope", slopes))),
                weights(Attention.builder().alibiSlopes(slopes)));
        assertNear(
                weights(Attention.builder().score(ScoreExpressions.SOFTCAP, ScoreParameters.NONE.with("cap", 0.7))),
                weights(Attention.builder().softcap(0.7)));
    }

    /** The buckets by the formula of T5's authors, and a bias of them as a tensor. */
    @Test
    void relativeBiasIsThatOfT5() {
        int[] buckets = ScoreExpressions.t5Buckets(16, 8, true);
        for (int relative = -16; relative <= 16; relative++) {
            int length = Math.abs(relative);
            int large = Math.min(3, 2 + (int) (Math.log(length / 2.0) / Math.log(16 / 2.0) * 2));
            assertThat(buckets[relative + 16]).isEqualTo((relative > 0 ? 4 : 0) + (length < 2 ? length : large));
        }
        assertThat(ScoreExpressions.t5Buckets(128, 32, false)).startsWith(31).endsWith(0);
        assertThatThrownBy(() -> ScoreExpressions.t5Buckets(2, 8, true)).hasMessageContaining("buckets: 8");

        float[] bias = Tensor.random(9, 8, HEADS).toFloatArray();
        float[] want = new float[HEADS * LENGTH * LENGTH];
        for (int n = 0; n < want.length; n++) {
            int relative = n % LENGTH - n / LENGTH % LENGTH;
            int bucket = buckets[Math.max(-16, Math.min(16, relative)) + 16];
            want[n] = bias[bucket * HEADS + n / LENGTH / LENGTH];
        }
        ScoreParameters parameters = ScoreParameters.NONE
                .with("bias", bias, 8, HEADS)
                .with("bucket", buckets)
                .with("distance", 16);
        assertNear(
                weights(Attention.builder().score(ScoreExpressions.RELATIVE_BIAS, parameters)),
                weights(Attention.builder().bias(Tensor.of(want, HEADS, LENGTH, LENGTH))));
    }

    private static void assertNear(float[] got, float[] want) {
        for (int n = 0; n < want.length; n++) {
            assertThat(got[n]).as("element " + n).isCloseTo(want[n], within(1e-6f));
        }
    }
}
