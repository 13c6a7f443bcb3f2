package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.testing.LayerCheck;
import dev.attention4j.testing.LayerGradientCheck;
import dev.attention4j.testing.PlainLayer;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of layers on every engine, against differences of a plain implementation in double. */
class LayerGradientsTest {
    private static final int[] ONE_AXIS = {1};
    private static final PlainLayer.Mask ALL = (query, key, head) -> true;

    private final Tensor query = Tensor.random(1, 2, 3, 4);
    private final Tensor value = Tensor.random(2, 2, 5, 3);
    private final Tensor key = Tensor.random(3, 2, 5, 2);

    /** All but emulators. */
    static List<EngineInfo> engines() {
        return Stream.concat(
                        TestEngines.quickOpenCl().stream(),
                        Engines.list().stream().filter(info -> !info.isOpenCl()))
                .toList();
    }

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static void check(
            EngineInfo info, LayerBuilder<?> builder, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask) {
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = builder.build(engine)) {
            LayerCheck.randomise(layer, inputs, 3);
            LayerGradientCheck.check(layer, inputs, axes, mask);
        }
    }

    private static MultiHeadAttention.Builder heads() {
        return MultiHeadAttention.builder().heads(2).keyDim(3);
    }

    private AttentionInputs.Builder separate() {
        return AttentionInputs.builder().query(query).value(value).key(key);
    }

    private AttentionInputs self() {
        return AttentionInputs.builder().query(query).value(query).build();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void ofEveryOptionOfTheLayer(EngineInfo info) {
        check(info, heads(), separate().build(), ONE_AXIS, ALL);
        check(info, heads().valueDim(2).bias(false), separate().build(), ONE_AXIS, ALL);
        check(info, heads().gate(true).outputShape(2, 3), separate().build(), ONE_AXIS, ALL);
        check(info, heads().slidingWindow(2), self(), ONE_AXIS, (from, to, head) -> Math.abs(from[1] - to[1]) < 2);
        GroupQueryAttention.Builder groups =
                GroupQueryAttention.builder().headDim(2).queryHeads(4).keyValueHeads(2);
        check(info, groups, separate().build(), ONE_AXIS, ALL);
        check(info, groups.gate(true).bias(false), self(), ONE_AXIS, ALL);
    }

    /** Self-attention has one gradient: the sum over the roles of its one input. */
    @ParameterizedTest
    @MethodSource("engines")
    void ofOneTensorInSeveralRoles(EngineInfo info) {
        check(info, heads().gate(true), self(), ONE_AXIS, ALL);
        AttentionInputs shared =
                AttentionInputs.builder().query(query).value(value).build();
        check(info, heads(), shared, ONE_AXIS, ALL);
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = heads().build(engine);
                LayerTape tape = layer.callForGradients(shared);
                LayerGradients gradients = tape.gradients(tape.output())) {
            assertThat(gradients.key()).isSameAs(gradients.value());
            assertThat(gradients.query()).isNotSameAs(gradients.value());
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void throughMasks(EngineInfo info) {
        boolean[] queries = {true, false, true, true, true, false};
        boolean[] values = {true, true, false, true, true, true, true, false, true, true};
        boolean[] keys = {true, true, true, false, true, false, true, true, true, true};
        boolean[] pairs = MultiHeadAttentionTest.random(7, 2 * 3 * 5);
        AttentionInputs inputs = separate()
                .queryMask(Tensor.of(queries, 2, 3))
                .valueMask(Tensor.of(values, 2, 5))
                .keyMask(Tensor.of(keys, 2, 5))
                .attentionMask(Tensor.of(pairs, 1, 2, 3, 5))
                .build();
        check(
                info,
                heads(),
                inputs,
                ONE_AXIS,
                (from, to, head) -> queries[from[0] * 3 + from[1]]
                        && values[to[0] * 5 + to[1]]
                        && keys[to[0] * 5 + to[1]]
                        && pairs[(head * 3 + from[1]) * 5 + to[1]]);
        AttentionInputs causal =
                AttentionInputs.builder().query(query).value(query).causal(true).build();
        check(info, heads(), causal, ONE_AXIS, (from, to, head) -> to[1] <= from[1]);
    }

    /** Axes that come in another order, by way of the host. */
    @ParameterizedTest
    @MethodSource("engines")
    void alongAnotherAxis(EngineInfo info) {
        Tensor planes = Tensor.random(5, 2, 3, 2, 3);
        AttentionInputs inputs =
                AttentionInputs.builder().query(planes).value(planes).build();
        check(info, heads().attentionAxes(1), inputs, ONE_AXIS, ALL);
        check(info, heads().attentionAxes(2, 1).outputShape(2, 2), inputs, new int[] {2, 1}, ALL);
    }

    /** With kernels for GPUs too, where an emulator is such a device. */
    @ParameterizedTest
    @MethodSource("devices")
    void onEveryDevice(EngineInfo info) {
        Tensor tiny = Tensor.random(4, 1, 2, 2);
        AttentionInputs inputs =
                AttentionInputs.builder().query(tiny).value(tiny).build();
        check(info, MultiHeadAttention.builder().heads(1).keyDim(2).gate(true), inputs, ONE_AXIS, ALL);
    }

    /** What is on the device stays there, and has the same bits as what comes from the host. */
    @ParameterizedTest
    @MethodSource("engines")
    void fromHostAndDevice(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = heads().seed(1).build(engine);
                Tensor there = engine.upload(query);
                LayerTape host = layer.callForGradients(self());
                LayerTape device = layer.callForGradients(
                        AttentionInputs.builder().query(there).value(there).build());
                LayerGradients fromHost = host.gradients(Tensor.random(5, 2, 3, 4));
                Tensor byOutput = engine.upload(Tensor.random(5, 2, 3, 4));
                LayerGradients fromDevice = device.gradients(byOutput);
                LayerGradients again = device.gradients(byOutput)) {
            assertThat(fromHost.query().isOnHost()).isTrue();
            assertThat(fromDevice.query().isOnHost()).isEqualTo(there.isOnHost());
            assertThat(fromDevice.query().toFloatArray())
                    .isEqualTo(fromHost.query().toFloatArray())
                    .isEqualTo(again.query().toFloatArray());
            fromHost.weights().forEach((name, gradient) -> {
                assertThat(gradient.isOnHost()).isEqualTo(there.isOnHost());
                assertThat(gradient.toFloatArray())
                        .isEqualTo(fromDevice.weights().get(name).toFloatArray())
                        .isEqualTo(again.weights().get(name).toFloatArray());
            });
        }
    }

    /** Scores that are asked for change nothing. */
    @ParameterizedTest
    @MethodSource("engines")
    void withScores(EngineInfo info) {
        check(info, heads(), LayerCheck.withScores(separate().build()), ONE_AXIS, ALL);
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = heads().seed(1).build(engine);
                LayerTape tape = layer.callForGradients(LayerCheck.withScores(self()))) {
            assertThat(tape.result().scores().shape()).containsExactly(2, 2, 3, 3);
        }
    }

    /** The gradient of a batch is the sum of those of its rows. */
    @ParameterizedTest
    @MethodSource("engines")
    void aBatchInParts(EngineInfo info) {
        Tensor byOutput = Tensor.random(5, 2, 3, 4);
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = heads().seed(1).build(engine);
                LayerGradients whole = gradients(layer, query, byOutput);
                LayerGradients sum = gradients(layer, query.slice(0, 0, 1), byOutput.slice(0, 0, 1));
                LayerGradients second = gradients(layer, query.slice(0, 1, 2), byOutput.slice(0, 1, 2))) {
            float[] ofInput = sum.query().toFloatArray();
            sum.add(second);
            assertThat(sum.query().toFloatArray()).isEqualTo(ofInput);
            whole.weights().forEach((name, gradient) -> {
                double[] expected = gradient.toDoubleArray();
                // The order of six sums of products.
                double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
                assertThat(sum.weights().get(name).toDoubleArray())
                        .as(name)
                        .containsExactly(expected, within(6 * 0x1p-23 * Math.max(1, largest)));
            });
        }
    }

    /** A layer whose projections change nothing is attention with dropout in training, and without it else. */
    @ParameterizedTest
    @MethodSource("engines")
    void dropsWeightsInTraining(EngineInfo info) {
        Tensor byOutput = Tensor.random(5, 2, 3, 4);
        AttentionInputs inputs = AttentionInputs.builder()
                .query(query)
                .value(query)
                .dropoutSeed(7)
                .build();
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionEngine oracle = AttentionEngine.open("oracle");
                AttentionLayer layer = MultiHeadAttention.builder()
                        .heads(1)
                        .keyDim(4)
                        .bias(false)
                        .dropout(0.4)
                        .build(engine)) {
            layer.initialize(4, 4, 4);
            Map<String, Tensor> kernels = new HashMap<>();
            layer.weights().tensors().forEach((name, kernel) -> kernels.put(name, identity(kernel.shape())));
            layer.load(LayerWeights.of(kernels));
            Tensor heads = query.reshape(2, 1, 3, 4);
            Attention dropping = Attention.builder().dropout(0.4, 7).build();
            try (LayerTape tape = layer.callForGradients(inputs);
                    LayerGradients gradients = tape.gradients(byOutput);
                    AttentionTape expected = oracle.attendForGradients(heads, heads, heads, dropping);
                    AttentionGradients byHeads = expected.gradients(byOutput.reshape(2, 1, 3, 4))) {
                close(tape.output(), expected.output());
                double[] sum = byHeads.query().toDoubleArray();
                double[] byKey = byHeads.key().toDoubleArray();
                double[] byValue = byHeads.value().toDoubleArray();
                for (int n = 0; n < sum.length; n++) {
                    sum[n] += byKey[n] + byValue[n];
                }
                assertThat(gradients.query().toDoubleArray()).containsExactly(sum, within(1e-5));
            }
            close(layer.call(query), oracle.attend(heads, heads, heads).output());
        }
    }

    private static Tensor identity(long... shape) {
        float[] numbers = new float[16];
        for (int n = 0; n < 4; n++) {
            numbers[5 * n] = 1;
        }
        return Tensor.of(numbers, shape);
    }

    private static void close(Tensor result, Tensor expected) {
        assertThat(result.toDoubleArray()).containsExactly(expected.toDoubleArray(), within(1e-5));
    }

    private static LayerGradients gradients(AttentionLayer layer, Tensor input, Tensor byOutput) {
        AttentionInputs inputs =
                AttentionInputs.builder().query(input).value(input).build();
        try (LayerTape tape = layer.callForGradients(inputs)) {
            return tape.gradients(byOutput);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void nothingHasNoGradient(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionLayer layer = heads().build(engine);
                LayerGradients gradients =
                        gradients(layer, Tensor.zeros(DType.FLOAT32, 0, 3, 4), Tensor.zeros(DType.FLOAT32, 0, 3, 4))) {
            assertThat(gradients.query().shape()).containsExactly(0, 3, 4);
            gradients.weights().values().forEach(gradient -> assertThat(gradient.toFloatArray())
                    .containsOnly(0));
        }
    }

    @Test
    @SuppressWarnings("try") // Closed on purpose.
    void badInputIsRefusedByName() {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                AttentionLayer layer = heads().build(engine);
                LayerTape tape = layer.callForGradients(self());
                LayerGradients gradients = tape.gradients(tape.output());
                LayerGradients others = gradients(heads().bias(false).build(engine), query, query)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> tape.gradients(Tensor.random(1, 2, 3, 5)))
                    .withMessageContaining("outputGradient: shape [2, 3, 5], must be [2, 3, 4]: axis 2 is 5");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> tape.gradients(query.to(DType.FLOAT16)))
                    .withMessageContaining("outputGradient: type FLOAT16, must be FLOAT32");
            Tensor half = query.to(DType.FLOAT16);
            AttentionInputs halves =
                    AttentionInputs.builder().query(half).value(half).build();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> layer.callForGradients(halves))
                    .withMessageContaining("query: type FLOAT16, must be FLOAT32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gradients.add(others))
                    .withMessageContaining("other: has gradients of [query.kernel, key.kernel");
            layer.load(layer.weights());
            assertThatIllegalStateException()
                    .isThrownBy(() -> tape.gradients(tape.output()))
                    .withMessageContaining("the layer's weights have changed since the call");
            LayerTape second = layer.callForGradients(self());
            second.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> second.gradients(query))
                    .withMessageContaining("the tape is closed");
            layer.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> tape.gradients(query))
                    .withMessageContaining("the layer is closed");
        }
    }
}
