package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Block masks are the masks that they are made of: with every option, on every plan, against the oracle. */
class BlockMaskTest {
    private static final int QUERIES = 150;
    private static final int KEYS = 640;

    static List<EnginePlan> plans() {
        List<EngineInfo> engines = new ArrayList<>(TestEngines.quickOpenCl());
        engines.addAll(TestEngines.underTest().stream()
                .filter(info -> !info.isOpenCl())
                .toList());
        return EnginePlan.of(engines);
    }

    /** Keys in runs of 80, of which each query attends to some; queries 40 to 60 attend to none. */
    private static Tensor mask(int queries, int keys) {
        boolean[] attends = new boolean[queries * keys];
        for (int n = 0; n < attends.length; n++) {
            int query = n / keys;
            int run = n % keys / 80;
            attends[n] = (query < 40 || query > 60) && (run * 7 + query / 32) % 3 == 0;
        }
        return Tensor.of(attends, queries, keys);
    }

    /** What may stand beside a mask. */
    private static Map<String, AttentionBuilder> options() {
        Map<String, AttentionBuilder> options = new LinkedHashMap<>();
        options.put("alone", Attention.builder().logSumExp(true));
        options.put("causal", Attention.builder().causal(Alignment.BOTTOM_RIGHT).logSumExp(true));
        options.put("window", Attention.builder().window(100, 37).alignOffsets(300));
        options.put("key lengths", Attention.builder().keyLengths(597).causal(Alignment.BOTTOM_RIGHT));
        options.put("sinks", Attention.builder().sinks(0.5f, -1, 2, 0).logSumExp(true));
        options.put(
                "packed",
                Attention.builder()
                        .cumulativeLengths(new int[] {0, 71, QUERIES}, new int[] {0, 333, KEYS})
                        .causal(Alignment.BOTTOM_RIGHT));
        boolean[] queries = new boolean[QUERIES];
        Arrays.fill(queries, 0, 99, true);
        options.put("query mask", Attention.builder().queryMask(Tensor.of(queries, 1, QUERIES)));
        options.put(
                "expressions",
                Attention.builder()
                        .score("score * 0.5 + 0.001 * (position - key)")
                        .maskIf("(key + query) % 11 != 0"));
        return options;
    }

    @ParameterizedTest
    @MethodSource("plans")
    void withEveryOtherOption(EnginePlan plan) {
        Tensor mask = mask(QUERIES, KEYS);
        BlockMask blockMask = BlockMask.of(mask);
        Tensor query = Tensor.random(1, 1, 4, QUERIES, 8);
        Tensor key = Tensor.random(2, 1, 2, KEYS, 8);
        Tensor value = Tensor.random(3, 1, 2, KEYS, 8);
        try (AttentionEngine engine = plan.open()) {
            options().forEach((name, builder) -> {
                if (plan.plan().equals("tiles") && name.equals("expressions")) {
                    // CPU drivers build it for ten seconds; other tests do.
                    return;
                }
                Attention attention = builder.blockMask(blockMask).build();
                YardstickCheck.check(engine, query, key, value, attention, plan + " " + name);
                Attention plain =
                        attention.toBuilder().blockMask(null).mask(mask).build();
                assertThat(plain.blockMask()).isEmpty();
                try (AttentionResult withIt = engine.attend(query, key, value, attention);
                        AttentionResult without = engine.attend(query, key, value, plain)) {
                    assertThat(withIt.output().toFloatArray())
                            .as(plan + " " + name)
                            .isEqualTo(without.output().toFloatArray());
                }
            });
        }
    }

    /** So many keys that blocks are folded into totals, of which skipped ones are a part: with the same bits. */
    @ParameterizedTest
    @MethodSource("plans")
    void blocksThatAreSkippedBetweenTotals(EnginePlan plan) {
        int queries = plan.plan().equals("decode") ? 3 : 24;
        int keys = 9000;
        boolean[] attends = new boolean[queries * keys];
        for (int n = 0; n < attends.length; n++) {
            int run = n % keys / 300;
            attends[n] = (run > 2 && run < 9) || run % 7 == 0;
        }
        Tensor mask = Tensor.of(attends, queries, keys);
        Tensor query = Tensor.random(1, 1, 1, queries, 4);
        Tensor key = Tensor.random(2, 1, 1, keys, 4);
        Tensor value = Tensor.random(3, 1, 1, keys, 4);
        Attention plain = Attention.builder().mask(mask).logSumExp(true).build();
        Attention blockMask = plain.toBuilder().blockMask(BlockMask.of(mask)).build();
        try (AttentionEngine engine = plan.open();
                AttentionResult withIt = engine.attend(query, key, value, blockMask);
                AttentionResult without = engine.attend(query, key, value, plain)) {
            YardstickCheck.check(engine, query, key, value, blockMask, plan.toString());
            assertThat(withIt.output().toFloatArray())
                    .isEqualTo(without.output().toFloatArray());
            assertThat(withIt.logSumExp().toFloatArray())
                    .isEqualTo(without.logSumExp().toFloatArray());
        }
    }

    /** Expressions that hide whole blocks, of so many pairs that all plans look for them; hidden rows are NaN. */
    @ParameterizedTest
    @MethodSource("plans")
    void expressionsOfManyPairs(EnginePlan plan) {
        int length = plan.plan().equals("host") || plan.info().kind() == EngineInfo.Kind.CPU ? 300 : 1030;
        int[] document = new int[length];
        for (int n = 0; n < length; n++) {
            document[n] = n < length / 3 ? 0 : n < length / 2 ? 1 : n % 2 + 2;
        }
        ScoreParameters parameters =
                ScoreParameters.NONE.with("document", document).with("hidden", 1);
        String mask = "document[query] == document[key] && document[key] != hidden && key <= position";
        Tensor query = Tensor.random(1, 1, 2, length, 4);
        float[] keys = Tensor.random(2, 1, 1, length, 4).toFloatArray();
        Arrays.fill(keys, length / 3 * 4, length / 2 * 4, Float.NaN);
        Tensor key = Tensor.of(keys, 1, 1, length, 4);
        float[] values = Tensor.random(3, 1, 1, length, 4).toFloatArray();
        Arrays.fill(values, length / 3 * 4, length / 2 * 4, Float.NaN);
        Tensor value = Tensor.of(values, 1, 1, length, 4);
        BlockMask blockMask = BlockMask.of(mask, parameters, length, length);
        try (AttentionEngine engine = plan.open()) {
            for (AttentionBuilder builder : List.of(
                    Attention.builder().logSumExp(true),
                    Attention.builder().window(700, -1).alignOffsets(3),
                    Attention.builder().sinks(1, 0))) {
                YardstickCheck.check(
                        engine, query, key, value, builder.blockMask(blockMask).build(), plan.toString());
            }
        }
    }

    @Test
    void otherLengthsAreRefused() {
        Tensor query = Tensor.random(1, 1, 1, 3, 4);
        Tensor key = Tensor.random(2, 1, 1, 5, 4);
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            for (BlockMask mask : List.of(
                    BlockMask.of("key < 3", ScoreParameters.NONE, 3, 6),
                    BlockMask.of(mask(3, 6)),
                    BlockMask.of(Tensor.of(new boolean[6], 1, 6)))) {
                Attention attention = Attention.builder().blockMask(mask).build();
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> engine.attend(query, key, key, attention))
                        .withMessageStartingWith("blockMask: made for ")
                        .withMessageContaining("must be made for the 3 queries and 5 keys of this call");
            }
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BlockMask.of(Tensor.of(new boolean[6], 6)))
                .withMessageStartingWith("mask: BOOL of shape [6], must be BOOL (true = attend) of 2 to 4 axes");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BlockMask.of(Tensor.random(1, 2, 3)))
                .withMessageStartingWith("mask: FLOAT32 of shape [2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BlockMask.of("key + 1", ScoreParameters.NONE, 3, 5))
                .withMessageContaining("must be a boolean");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BlockMask.of("key < 1", ScoreParameters.NONE, -3, 5))
                .withMessageContaining("queryLength: -3, must be 0 to ");
    }

    @Test
    void aBlockMaskTakesThePlaceOfItsMask() {
        BlockMask ofTensor = BlockMask.of(mask(3, 6));
        BlockMask ofExpression = BlockMask.of("key < 3", ScoreParameters.NONE, 3, 6);
        Attention attention = Attention.builder().blockMask(ofTensor).build();
        assertThat(attention.mask()).isEqualTo(ofTensor.mask()).isPresent();
        assertThat(attention.blockMask()).contains(ofTensor);
        Attention other = attention.toBuilder().blockMask(ofExpression).build();
        assertThat(other.mask()).isEmpty();
        assertThat(other.maskIf()).isEqualTo(ofExpression.expression()).isPresent();
        assertThat(other.toBuilder().mask(mask(3, 6)).build().blockMask()).contains(ofExpression);
        assertThat(other.toBuilder().maskIf("key < 4").build().blockMask()).isEmpty();
        assertThat(other.toBuilder().blockMask(null).build().maskIf()).isEmpty();
        Attention replaced = attention.toBuilder().mask(mask(3, 6)).build();
        assertThat(replaced.blockMask()).isEmpty();
        assertThat(replaced.mask()).isPresent().isNotEqualTo(ofTensor.mask());
        assertThat(ofExpression.toString()).isEqualTo("BlockMask[3 x 6, key < 3]");
    }
}
