package dev.attention4j.opencl.backward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.GradientOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Gradients by tiles, the way of GPUs, on CPUs: several tiles of queries and keys, none whole. Of one build for all options but
 * expressions, because each takes a compiler for CPUs many seconds.
 */
class BackwardTilesTest {
    private static final int QUERIES = 35;
    private static final int KEYS = 50;
    private static final int HEAD_DIM = 20;
    private static final int VALUE_DIM = 13;
    private static final GradientOptions ALL =
            GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes();

    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    /** The oracle's result, and gradients of it by tiles. */
    private static void check(OpenClEngine engine, DType dtype, Attention attention, GradientOptions options) {
        Tensor query = Tensor.random(1, 2, 4, QUERIES, HEAD_DIM).to(dtype);
        Tensor key = Tensor.random(2, 2, 2, KEYS, HEAD_DIM).to(dtype);
        Tensor value = Tensor.random(3, 2, 2, KEYS, VALUE_DIM).to(dtype);
        check(engine, query, key, value, attention, options);
    }

    private static void check(
            OpenClEngine engine, Tensor query, Tensor key, Tensor value, Attention attention, GradientOptions options) {
        Tensor byOutput = Tensor.random(4, query.size(0), query.size(1), query.size(2), value.size(3));
        Attention recorded = attention.toBuilder().logSumExp(true).build();
        try (AttentionEngine oracle = AttentionEngine.open("oracle");
                AttentionResult result = oracle.attend(query, key, value, recorded);
                AttentionGradients gradients =
                        engine.gradients(query, key, value, recorded, result, byOutput, options)) {
            GradientCall call = GradientCall.of(query, key, value, recorded, result, byOutput, options);
            assertThat(gradients.plan()).isEqualTo(BackwardTiles.NAME);
            assertThat(new GradientYardstick(call).measure(gradients))
                    .as(recorded.toString())
                    .allMatch(Deviation::isAllowed);
        }
    }

    private static OpenClEngine open(EngineInfo info) {
        EngineOptions options = TestEngines.options().withPlan(BackwardTiles.NAME);
        return (OpenClEngine) AttentionEngine.open(info.id(), options);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void eachOptionIsRight(EngineInfo info) {
        boolean[] attends = new boolean[QUERIES * KEYS];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % 3 != 1 && n / KEYS != 7 && n % KEYS != 11;
        }
        Tensor mask = Tensor.of(attends, QUERIES, KEYS);
        List<ClEvent> events = new ArrayList<>();
        try (OpenClEngine engine = open(info)) {
            for (AttentionBuilder attention : List.of(
                    Attention.builder(),
                    Attention.builder().causal(Alignment.TOP_LEFT),
                    Attention.builder().window(9, 2).keyLengths(33, 0),
                    Attention.builder().mask(mask).softcap(2))) {
                check(engine, DType.FLOAT32, attention.build(), GradientOptions.DEFAULT);
            }
            Attention all = Attention.builder()
                    .bias(Tensor.random(5, 4, QUERIES, KEYS))
                    .mask(mask)
                    .sinks(1, 0, -1, Float.NEGATIVE_INFINITY)
                    .alibiSlopes(0.5f, 0.25f, 0.1f, 0)
                    .causal(Alignment.BOTTOM_RIGHT)
                    .build();
            engine.profileInto(events);
            check(engine, DType.FLOAT32, all, ALL);
            engine.profileInto(null);
            assertThat(events.stream().map(ClEvent::command))
                    .containsExactly(
                            "backward_preprocess",
                            "backward_key_value_tiles",
                            "backward_query_tiles",
                            "backward_heads",
                            "backward_heads",
                            "backward_bias");
        } finally {
            events.forEach(ClEvent::close);
        }
    }

    /** NaN in keys, values and queries that masks hide, and where some rows do not attend. */
    @ParameterizedTest
    @MethodSource("devices")
    void maskedNanIsLeftOut(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 2, QUERIES, HEAD_DIM);
        Tensor key = Tensor.random(2, 1, 2, KEYS, HEAD_DIM);
        Tensor value = Tensor.random(3, 1, 2, KEYS, VALUE_DIM);
        boolean[] attends = new boolean[KEYS];
        for (int n = 0; n < KEYS; n++) {
            attends[n] = n != 21;
        }
        key.floats().put(21 * HEAD_DIM, Float.NaN);
        value.floats().put(21 * VALUE_DIM + 1, Float.POSITIVE_INFINITY);
        // Of these the keys after it are masked from the queries before it.
        value.floats().put(30 * VALUE_DIM + 2, Float.NaN);
        Attention attention = Attention.builder()
                .causal(Alignment.TOP_LEFT)
                .mask(Tensor.of(attends, 1, KEYS))
                .build();
        try (OpenClEngine engine = open(info)) {
            check(engine, query, key, value, attention, GradientOptions.DEFAULT);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void expressionsAndDropoutInHalfPrecision(EngineInfo info) {
        Attention attention = Attention.builder()
                .score(
                        "score * gain - 0.1 * abs(position - key) + 0.3 * tanh(score)",
                        ScoreParameters.NONE.with("gain", 0.7))
                .maskIf("key % 3 != query % 2 || key == 0")
                .dropout(0.3, 5)
                .build();
        try (OpenClEngine engine = open(info)) {
            check(engine, DType.FLOAT16, attention, GradientOptions.DEFAULT);
        }
    }

    /** Query heads that share a key/value head add to its gradients in one order. */
    @ParameterizedTest
    @MethodSource("devices")
    void theSameBitsEachTime(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 2, QUERIES, HEAD_DIM);
        Tensor key = Tensor.random(2, 1, 1, KEYS, HEAD_DIM);
        Tensor value = Tensor.random(3, 1, 1, KEYS, VALUE_DIM);
        Tensor byOutput = Tensor.random(4, 1, 2, QUERIES, VALUE_DIM);
        Attention attention = Attention.builder().logSumExp(true).build();
        try (OpenClEngine engine = open(info);
                AttentionEngine oracle = AttentionEngine.open("oracle");
                AttentionResult result = oracle.attend(query, key, value, attention)) {
            Map<String, float[]> first = gradients(engine, query, key, value, attention, result, byOutput);
            for (int n = 0; n < 10; n++) {
                gradients(engine, query, key, value, attention, result, byOutput)
                        .forEach((name, numbers) -> assertThat(numbers).as(name).isEqualTo(first.get(name)));
            }
        }
    }

    private static Map<String, float[]> gradients(
            OpenClEngine engine,
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor byOutput) {
        try (AttentionGradients gradients =
                engine.gradients(query, key, value, attention, result, byOutput, GradientOptions.DEFAULT)) {
            return Map.of(
                    "query", gradients.query().toFloatArray(),
                    "key", gradients.key().toFloatArray(),
                    "value", gradients.value().toFloatArray());
        }
    }
}
