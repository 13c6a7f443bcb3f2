package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.testing.LayerCheck;
import dev.attention4j.testing.PlainLayer;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every option of the layer, on every engine, against a plain implementation. */
class MultiHeadAttentionTest {
    private static final int[] ONE_AXIS = {1};
    private static final PlainLayer.Mask ALL = (query, key, head) -> true;

    static List<EngineInfo> engines() {
        TestEngines.openCl();
        return Engines.list();
    }

    private static MultiHeadAttention.Builder small() {
        return MultiHeadAttention.builder().heads(3).keyDim(5).seed(1);
    }

    private static AttentionInputs.Builder cross() {
        return AttentionInputs.builder()
                .query(Tensor.random(1, 2, 7, 12))
                .value(Tensor.random(2, 2, 11, 10))
                .key(Tensor.random(3, 2, 11, 9));
    }

    private static void check(
            EngineInfo info, LayerBuilder<?> builder, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask) {
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = builder.build(engine)) {
            LayerCheck.randomise(layer, inputs, 77);
            LayerCheck.check(layer, inputs, axes, mask);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void selfAttention(EngineInfo info) {
        Tensor input = Tensor.random(5, 2, 37, 16);
        AttentionInputs inputs =
                AttentionInputs.builder().query(input).value(input).key(input).build();
        check(info, small(), inputs, ONE_AXIS, ALL);
        check(info, small().bias(false), inputs, ONE_AXIS, ALL);
        check(info, small().gate(true).dropout(0.5), inputs, ONE_AXIS, ALL);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void widthsOfTheirOwn(EngineInfo info) {
        check(info, small().valueDim(7).outputShape(6), cross().build(), ONE_AXIS, ALL);
        check(info, small().outputShape(3, 5).gate(true).valueDim(2), cross().build(), ONE_AXIS, ALL);
        check(info, small(), cross().key(null).build(), ONE_AXIS, ALL);
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().outputShape(3, 5).build(engine);
                LayerResult result = layer.call(cross().scores(true).build())) {
            assertThat(result.output().shape()).containsExactly(2, 7, 3, 5);
            assertThat(result.scores().shape()).containsExactly(2, 3, 7, 11);
        }
    }

    /** Query, value and key are all different, so that each in another's place gives another result, or none. */
    @ParameterizedTest
    @MethodSource("engines")
    void theThreeArgumentsAreQueryValueKey(EngineInfo info) {
        Tensor query = Tensor.random(1, 2, 7, 12);
        Tensor value = Tensor.random(2, 2, 11, 12);
        Tensor key = Tensor.random(3, 2, 11, 12);
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().build(engine)) {
            AttentionInputs inputs =
                    AttentionInputs.builder().query(query).value(value).key(key).build();
            LayerCheck.randomise(layer, inputs, 5);
            var weights = layer.weights().tensors();
            PlainLayer exact = PlainLayer.inDouble(weights, query, value, key, ONE_AXIS, ALL);
            PlainLayer plain = PlainLayer.inFloat(weights, query, value, key, ONE_AXIS, ALL);
            LayerCheck.compare("output", LayerCheck.call(layer, query, value, key), exact.output, plain.output);
            float[] swapped = LayerCheck.call(layer, query, key, value).toFloatArray();
            assertThat(swapped[0]).isNotCloseTo((float) exact.output[0], org.assertj.core.data.Offset.offset(1e-3f));
            PlainLayer keyIsValue = PlainLayer.inDouble(weights, query, value, value, ONE_AXIS, ALL);
            LayerCheck.compare("output", layer.call(query, value), keyIsValue.output, plain.output);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void causalAndSlidingWindow(EngineInfo info) {
        AttentionInputs plain = cross().build();
        AttentionInputs causal = cross().causal(true).build();
        check(info, small(), causal, ONE_AXIS, (query, key, head) -> key[1] <= query[1]);
        check(info, small().slidingWindow(1), plain, ONE_AXIS, (query, key, head) -> key[1] == query[1]);
        check(info, small().slidingWindow(3), plain, ONE_AXIS, (query, key, head) -> Math.abs(key[1] - query[1]) < 3);
        check(
                info,
                small().slidingWindow(4),
                causal,
                ONE_AXIS,
                (query, key, head) -> key[1] <= query[1] && query[1] - key[1] < 4);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void masksAreAndEd(EngineInfo info) {
        boolean[] query = random(1, 2 * 7);
        boolean[] value = random(2, 2 * 11);
        boolean[] key = random(3, 2 * 11);
        boolean[] pairs = random(4, 2 * 7 * 11);
        boolean[] heads = random(5, 3 * 7 * 11);
        Tensor queryMask = Tensor.of(query, 2, 7);
        Tensor valueMask = Tensor.of(value, 2, 11);
        Tensor keyMask = Tensor.of(key, 2, 11);
        Tensor pairMask = Tensor.of(pairs, 2, 7, 11);
        PlainLayer.Mask byPair = (q, k, head) -> pairs[(q[0] * 7 + q[1]) * 11 + k[1]];
        PlainLayer.Mask byValue = (q, k, head) -> value[k[0] * 11 + k[1]];
        PlainLayer.Mask all = (q, k, head) -> query[q[0] * 7 + q[1]]
                && value[k[0] * 11 + k[1]]
                && key[k[0] * 11 + k[1]]
                && byPair.attends(q, k, head)
                && k[1] <= q[1];

        check(info, small(), cross().valueMask(valueMask).build(), ONE_AXIS, byValue);
        check(info, small(), cross().keyMask(valueMask).build(), ONE_AXIS, byValue);
        check(info, small(), cross().queryMask(queryMask).build(), ONE_AXIS, (q, k, h) -> query[q[0] * 7 + q[1]]);
        check(info, small(), cross().attentionMask(pairMask).build(), ONE_AXIS, byPair);
        check(
                info,
                small(),
                cross().queryMask(queryMask)
                        .valueMask(valueMask)
                        .keyMask(keyMask)
                        .attentionMask(pairMask)
                        .causal(true)
                        .build(),
                ONE_AXIS,
                all);
        check(
                info,
                small(),
                cross().attentionMask(Tensor.of(Arrays.copyOf(pairs, 7 * 11), 7, 11))
                        .build(),
                ONE_AXIS,
                (q, k, head) -> pairs[q[1] * 11 + k[1]]);
        check(
                info,
                small(),
                cross().attentionMask(Tensor.of(Arrays.copyOf(pairs, 7 * 11), 7, 11))
                        .queryMask(queryMask)
                        .valueMask(valueMask)
                        .build(),
                ONE_AXIS,
                (q, k, head) -> pairs[q[1] * 11 + k[1]] && byValue.attends(q, k, head) && query[q[0] * 7 + q[1]]);
        check(
                info,
                small(),
                cross().attentionMask(Tensor.of(Arrays.copyOf(pairs, 2 * 7), 2, 7, 1))
                        .keyMask(keyMask)
                        .build(),
                ONE_AXIS,
                (q, k, head) -> pairs[q[0] * 7 + q[1]] && key[k[0] * 11 + k[1]]);
        check(
                info,
                small(),
                cross().attentionMask(Tensor.of(heads, 1, 3, 7, 11))
                        .valueMask(valueMask)
                        .build(),
                ONE_AXIS,
                (q, k, head) -> heads[(head * 7 + q[1]) * 11 + k[1]] && byValue.attends(q, k, head));
    }

    /** For what is too long for emulators and the oracle. */
    static List<EngineInfo> quickEngines() {
        return engines().stream()
                .filter(info -> info.kind() != EngineInfo.Kind.EMULATOR && info.kind() != EngineInfo.Kind.ORACLE)
                .toList();
    }

    /** All pairs of two masks of this length would be 2.4 times what a Java array holds. */
    @ParameterizedTest
    @MethodSource("quickEngines")
    void masksOfQueriesAndKeysAreNotSpreadOverAllPairs(EngineInfo info) {
        int length = 72_000;
        int token = 71_234;
        boolean[] tokens = new boolean[length];
        tokens[token] = true;
        Tensor mask = Tensor.of(tokens, 1, length);
        Tensor input = Tensor.random(1, 1, length, 4);
        AttentionInputs inputs = AttentionInputs.builder()
                .query(input)
                .value(input)
                .queryMask(mask)
                .valueMask(mask)
                .build();
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer =
                        MultiHeadAttention.builder().heads(1).keyDim(2).seed(1).build(engine);
                LayerResult result = layer.call(inputs);
                // The one query that attends has the one key that may be attended to.
                LayerResult alone = layer.call(AttentionInputs.builder()
                        .query(input.slice(1, token, token + 1).contiguous())
                        .value(input.slice(1, token, token + 1).contiguous())
                        .build())) {
            float[] output = result.output().toFloatArray();
            for (int n = 0; n < output.length; n++) {
                double expected = n / 4 == token ? alone.output().get(0, 0, n % 4) : 0;
                assertThat(Math.abs(output[n] - expected) < 1e-6)
                        .as("element " + n)
                        .isTrue();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void aQueryWithNoKeyGetsZeroScoresAndTheBias(EngineInfo info) {
        boolean[] none = new boolean[2 * 7];
        none[3] = true;
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().outputShape(4).build(engine)) {
            AttentionInputs inputs =
                    cross().queryMask(Tensor.of(none, 2, 7)).scores(true).build();
            LayerCheck.randomise(layer, inputs, 9);
            float[] bias =
                    layer.weights().tensors().get("attention_output.bias").toFloatArray();
            try (LayerResult result = layer.call(inputs)) {
                float[] output = result.output().toFloatArray();
                assertThat(Arrays.copyOfRange(output, 0, 4)).containsExactly(bias);
                assertThat(Arrays.copyOfRange(output, 3 * 4, 4 * 4)).isNotEqualTo(bias);
                assertThat(result.scores().get(0, 1, 0, 5)).isZero();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void attentionAxes(EngineInfo info) {
        AttentionInputs inputs = AttentionInputs.builder()
                .query(Tensor.random(1, 2, 3, 4, 6))
                .value(Tensor.random(2, 2, 5, 4, 6))
                .build();
        check(info, small().attentionAxes(1), inputs, ONE_AXIS, ALL);
        check(info, small().attentionAxes(-3), inputs, ONE_AXIS, ALL);
        AttentionInputs rows = AttentionInputs.builder()
                .query(Tensor.random(1, 2, 3, 4, 6))
                .value(Tensor.random(2, 2, 3, 7, 6))
                .causal(true)
                .build();
        check(info, small().attentionAxes(2), rows, new int[] {2}, (query, key, head) -> key[2] <= query[2]);
        check(info, small(), inputs, new int[] {1, 2}, ALL);
        check(info, small().attentionAxes(2, 1).gate(true), inputs, new int[] {2, 1}, ALL);
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().attentionAxes(1).build(engine);
                LayerResult result = layer.call(LayerCheck.withScores(inputs))) {
            assertThat(result.output().shape()).containsExactly(2, 3, 4, 6);
            assertThat(result.scores().shape()).containsExactly(2, 4, 3, 3, 5);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void masksOverSeveralAxes(EngineInfo info) {
        Tensor query = Tensor.random(1, 2, 3, 4, 6);
        Tensor value = Tensor.random(2, 2, 5, 4, 6);
        boolean[] values = random(7, 2 * 5 * 4);
        boolean[] columns = random(8, 2 * 4);
        AttentionInputs byColumn = AttentionInputs.builder()
                .query(query)
                .value(value)
                .valueMask(Tensor.of(values, 2, 5, 4))
                .attentionMask(Tensor.of(columns, 2, 1, 1, 1, 4))
                .build();
        check(
                info,
                small(),
                byColumn,
                new int[] {1, 2},
                (q, k, head) -> values[(k[0] * 5 + k[1]) * 4 + k[2]] && columns[k[0] * 4 + k[2]]);
        boolean[] pairs = random(9, 2 * 3 * 5);
        AttentionInputs byRow = AttentionInputs.builder()
                .query(query)
                .value(value)
                .valueMask(Tensor.of(values, 2, 5, 4))
                .attentionMask(Tensor.of(pairs, 2, 3, 5))
                .build();
        check(
                info,
                small().attentionAxes(1),
                byRow,
                ONE_AXIS,
                (q, k, head) -> values[(k[0] * 5 + k[1]) * 4 + k[2]] && pairs[(q[0] * 3 + q[1]) * 5 + k[1]]);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void resultsAreWhereTheQueryIs(EngineInfo info) {
        AttentionInputs onHost = cross().scores(true).build();
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().gate(true).build(engine);
                LayerResult expected = layer.call(onHost);
                Tensor query = engine.upload(onHost.query());
                Tensor value = engine.upload(onHost.value());
                LayerResult result = layer.call(AttentionInputs.builder()
                        .query(query)
                        .value(value)
                        .key(onHost.key())
                        .scores(true)
                        .build())) {
            assertThat(expected.output().isOnHost()).isTrue();
            assertThat(result.output().isOnHost()).isEqualTo(query.isOnHost());
            assertThat(result.scores().isOnHost()).isEqualTo(query.isOnHost());
            assertThat(result.output().toFloatArray())
                    .isEqualTo(expected.output().toFloatArray());
            assertThat(result.scores().toFloatArray())
                    .isEqualTo(expected.scores().toFloatArray());
            assertThat(query.isClosed()).as("the caller's").isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void manyThreadsGetTheSameBits(EngineInfo info) throws Exception {
        AttentionInputs inputs = cross().build();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (AttentionEngine engine = TestEngines.open(info);
                MultiHeadAttention layer = small().build(engine)) {
            List<Callable<float[]>> calls = new ArrayList<>();
            for (int n = 0; n < 24; n++) {
                calls.add(() -> {
                    try (LayerResult result = layer.call(inputs)) {
                        return result.output().toFloatArray();
                    }
                });
            }
            List<Future<float[]>> results = threads.invokeAll(calls);
            for (Future<float[]> result : results) {
                assertThat(result.get()).isEqualTo(results.get(0).get());
            }
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void nothingToAttendToAndNothingToAttend() {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                MultiHeadAttention layer = small().build(engine)) {
            assertThat(layer.call(Tensor.random(1, 0, 7, 12), Tensor.random(1, 0, 3, 12))
                            .shape())
                    .containsExactly(0, 7, 12);
            assertThat(layer.call(Tensor.random(1, 2, 0, 12), Tensor.random(1, 2, 3, 12))
                            .shape())
                    .containsExactly(2, 0, 12);
            float[] output = layer.call(Tensor.random(1, 1, 2, 12), Tensor.random(1, 1, 0, 12))
                    .toFloatArray();
            assertThat(output).as("the bias, which is zero at first").containsOnly(0);
        }
    }

    static boolean[] random(long seed, int count) {
        Random random = new Random(seed);
        boolean[] mask = new boolean[count];
        for (int n = 0; n < count; n++) {
            mask[n] = random.nextInt(10) < 7;
        }
        return mask;
    }
}
