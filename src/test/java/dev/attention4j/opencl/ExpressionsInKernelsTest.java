package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Score and mask expressions in every plan, with every other option, against the oracle. */
class ExpressionsInKernelsTest {
    /** Numbers of options of {@link RandomProblem#draw(long, int)}. */
    private static final int OPTIONS = 15;

    private static final int COMBINED = 6;

    /** Builds of this plan take CPU drivers longest. */
    private static final int COMBINED_ON_TILES = 1;

    private static final int SCORE_ONLY = 0;
    private static final int MASK_ONLY = 1;
    private static final int BOTH = 2;

    /** Reads every variable and tables of one to three axes. */
    private static final String SCORE =
            "score * gain[head][batch] + 0.01 * keyValueHead - slope * min(abs(position - key), 20)"
                    + " + (query % 3 == key % 2 ? relative[clamp(position - key + 8, 0, 16)] : 0.02 * (keyLength - queryLength))";

    private static final String MASK_IF = "group[key] == group[query] || (key + query + head) % 5 == batch";

    static List<EnginePlan> quickPlans() {
        return EnginePlan.of(TestEngines.quickOpenCl());
    }

    /** Those that compute on a device, where caches are. */
    static List<EnginePlan> kernelPlans() {
        return quickPlans().stream().filter(plan -> !plan.plan().equals("host")).toList();
    }

    private static Attention expressed(Attention attention, AttentionProblem problem, int kind, long seed) {
        Random random = new Random(seed);
        AttentionBuilder builder = attention.toBuilder();
        if (kind != MASK_ONLY) {
            int heads = problem.queryHeads();
            int batch = Math.max(1, problem.batch());
            builder.score(
                    SCORE,
                    ScoreParameters.NONE
                            .with("gain", floats(random, heads * batch), heads, batch)
                            .with("slope", 0.1 * random.nextGaussian())
                            .with("relative", floats(random, 17), 17));
        }
        if (kind != SCORE_ONLY) {
            int[] groups = new int[Math.max(1, Math.max(problem.queryLength(), problem.keyLength()))];
            Arrays.setAll(groups, n -> n / 16);
            builder.maskIf(MASK_IF, ScoreParameters.NONE.with("group", groups, groups.length));
        }
        return builder.build();
    }

    private static float[] floats(Random random, int count) {
        float[] floats = new float[count];
        for (int n = 0; n < count; n++) {
            floats[n] = (float) random.nextGaussian();
        }
        return floats;
    }

    @ParameterizedTest
    @MethodSource("quickPlans")
    void withEveryOtherOption(EnginePlan enginePlan) {
        boolean tiles = enginePlan.plan().equals("tiles");
        try (AttentionEngine engine = enginePlan.open()) {
            for (int option = 0; !tiles && option < OPTIONS; option++) {
                check(engine, RandomProblem.draw(option + 40, option), option % 3);
            }
            int combined = tiles ? COMBINED_ON_TILES : COMBINED;
            for (int seed = 0; seed < combined; seed++) {
                check(engine, RandomProblem.draw(1000 + seed), tiles ? BOTH : seed % 3);
            }
        }
    }

    private static void check(AttentionEngine engine, RandomProblem problem, int kind) {
        AttentionProblem shapes =
                AttentionProblem.of(problem.query(), problem.key(), problem.value(), problem.attention());
        Attention attention = expressed(problem.attention(), shapes, kind, shapes.queryLength());
        try {
            engine.explain(problem.query(), problem.key(), problem.value(), attention);
        } catch (UnsupportedPlanException e) {
            attention = attention.toBuilder().weights(false).build();
        }
        YardstickCheck.check(
                engine, problem.query(), problem.key(), problem.value(), attention, problem.reproduce() + ", " + kind);
    }

    /** Keys that the mask hides from all queries, whole blocks among them, do not show: their values are NaN. */
    @ParameterizedTest
    @MethodSource("quickPlans")
    void blocksOfKeysThatNobodyAttendsTo(EnginePlan enginePlan) {
        int queries = enginePlan.plan().equals("decode") ? 3 : 90;
        int keys = 1100;
        Random random = new Random(7);
        Tensor query = Tensor.random(1, 1, 2, queries, 8);
        Tensor key = Tensor.random(2, 1, 1, keys, 8);
        Tensor value = Tensor.random(3, 1, 1, keys, 16);
        List<String> masks = List.of(
                "document[key] % 3 == 1 && document[key] - document[query] < 9",
                "key == 700 + query || key == 3", "key < 0");
        // Builds of this plan take CPU drivers longest.
        for (String mask : enginePlan.plan().equals("tiles") ? masks.subList(0, 1) : masks) {
            int[] document = new int[keys];
            for (int n = 1; n < keys; n++) {
                document[n] = document[n - 1] + (random.nextInt(60) == 0 ? 1 : 0);
            }
            Attention attention = Attention.builder()
                    .maskIf(mask, mask.contains("document") ? documents(document) : ScoreParameters.NONE)
                    .logSumExp(true)
                    .build();
            float[] values = value.toFloatArray();
            for (int k = 0; k < keys; k++) {
                if ((mask.contains("% 3") && document[k] % 3 != 1) || mask.equals("key < 0")) {
                    // Nobody attends to it.
                    Arrays.fill(values, k * 16, (k + 1) * 16, Float.NaN);
                }
            }
            try (AttentionEngine engine = enginePlan.open()) {
                YardstickCheck.check(
                        engine, query, key, Tensor.of(values, value.shape()), attention, enginePlan + " " + mask);
            }
        }
    }

    private static ScoreParameters documents(int... document) {
        return ScoreParameters.NONE.with("document", document, document.length);
    }

    /** A NaN that an expression gives is in the row's result, an infinity below masks its key, and a mask comes after both. */
    @ParameterizedTest
    @MethodSource("quickPlans")
    void scoresThatAreNotFinite(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 1, 2, 9, 8);
        Tensor key = Tensor.random(2, 1, 2, 70, 8);
        Tensor value = Tensor.random(3, 1, 2, 70, 8);
        float[] values = value.toFloatArray();
        // Of keys that the score expression masks.
        Arrays.fill(values, 40 * 8, 41 * 8, Float.NaN);
        Arrays.fill(values, 110 * 8, 111 * 8, Float.POSITIVE_INFINITY);
        Attention attention = Attention.builder()
                .score("key == 40 ? -infinity : query == 2 && key == 5 ? sqrt(-1.0) : query == 3 && key == 6"
                        + " ? sqrt(-1.0) : score")
                .maskIf("query != 3 || key != 6")
                .build();
        try (AttentionEngine engine = enginePlan.open();
                AttentionResult result = engine.attend(query, key, Tensor.of(values, value.shape()), attention)) {
            float[] output = result.output().toFloatArray();
            for (int n = 0; n < output.length; n++) {
                assertThat(Float.isNaN(output[n])).as("element " + n).isEqualTo(n / 8 % 9 == 2);
            }
            assertThat(Yardstick.of(query, key, Tensor.of(values, value.shape()), attention)
                            .measure(result, attention))
                    .allMatch(Deviation::isAllowed);
        }
    }

    /** Positions in caches, and what is dropped, are those of the whole text, whether rows of keys lie one after another or in pages. */
    @ParameterizedTest
    @MethodSource("kernelPlans")
    void inCaches(EnginePlan enginePlan) {
        Tensor query = Tensor.random(1, 2, 4, 3, 8);
        Tensor key = Tensor.random(2, 2, 2, 40, 8);
        Tensor value = Tensor.random(3, 2, 2, 40, 8);
        Attention attention = Attention.builder()
                .align(Alignment.BOTTOM_RIGHT)
                .score(
                        "score - 0.05 * (position - key) + near[clamp(position - key, 0, 3)][head]",
                        ScoreParameters.NONE.with("near", floats(new Random(5), 16), 4, 4))
                .maskIf("key % 4 == position % 4 || position - key < 6 + batch")
                .dropout(0.3, 8)
                .build();
        Attention whole = attention.toBuilder().keyLengths(40, 31).build();
        Yardstick yardstick = Yardstick.of(query, key, value, whole);
        CacheShape shape = CacheShape.of(2, 2, 64, 8);
        try (AttentionEngine engine = enginePlan.open();
                KeyValueCache cache = KeyValueCache.open(engine, shape);
                PagedKeyValueCache pages = PagedKeyValueCache.open(engine, shape, 16)) {
            cache.append(key, value, 40, 31);
            try (AttentionResult result = cache.attend(query, attention)) {
                assertThat(yardstick.measure(result, whole))
                        .as(enginePlan.toString())
                        .allMatch(Deviation::isAllowed);
            }
            int[] sequences = {pages.newSequence(), pages.newSequence()};
            pages.append(sequences, key.slice(2, 0, 31), value.slice(2, 0, 31));
            pages.append(
                    new int[] {sequences[0]},
                    key.slice(0, 0, 1).slice(2, 31, 40),
                    value.slice(0, 0, 1).slice(2, 31, 40));
            try (AttentionResult result = pages.attend(sequences, query, attention)) {
                assertThat(yardstick.measure(result, whole))
                        .as(enginePlan + " in pages")
                        .allMatch(Deviation::isAllowed);
            }
        }
    }

    /** Other values, tables of other shapes and other lengths build no kernel. */
    @ParameterizedTest
    @MethodSource("quickPlans")
    void otherParametersBuildNothing(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            if (!(engine instanceof OpenClEngine openCl)) {
                return;
            }
            long builds = -1;
            for (int n = 0; n < 4; n++) {
                int keys = 20 + n;
                Attention attention = Attention.builder()
                        .score(
                                "score + slope * gain[key]",
                                ScoreParameters.NONE
                                        .with("slope", 0.5 - n)
                                        .with("gain", floats(new Random(n), keys + n), keys + n))
                        .maskIf("key <= last", ScoreParameters.NONE.with("last", 3 * n))
                        .build();
                YardstickCheck.check(
                        engine,
                        Tensor.random(1, 1, 1, 18, 8),
                        Tensor.random(2, 1, 1, keys, 8),
                        Tensor.random(3, 1, 1, keys, 8),
                        attention,
                        enginePlan + " " + n);
                long now = openCl.context().builds().size();
                assertThat(now).as("builds at " + n).isEqualTo(builds < 0 ? now : builds);
                builds = now;
            }
        }
    }
}
