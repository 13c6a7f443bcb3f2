package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.testing.LayerCheck;
import dev.attention4j.testing.TestEngines;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Bad input is refused by an error that names the argument, what it was and what it must be. */
class BadLayerInputTest {
    private final AttentionEngine engine = AttentionEngine.open("cpu");

    @AfterEach
    void close() {
        engine.close();
    }

    private static void refused(ThrowingCallable call, String... words) {
        assertThatIllegalArgumentException().isThrownBy(call).satisfies(e -> assertThat(e.getMessage())
                .contains(words));
    }

    private static Tensor tensor(long... shape) {
        return Tensor.random(1, shape);
    }

    private static AttentionInputs.Builder inputs(Tensor query, Tensor value) {
        return AttentionInputs.builder().query(query).value(value);
    }

    private MultiHeadAttention layer() {
        return MultiHeadAttention.builder().heads(2).keyDim(4).seed(1).build(engine);
    }

    @Test
    void options() {
        MultiHeadAttention.Builder builder = MultiHeadAttention.builder();
        refused(() -> builder.heads(0), "heads: 0, must be 1 or more");
        refused(() -> builder.keyDim(-3), "keyDim: -3, must be 1 or more");
        refused(() -> builder.valueDim(0), "valueDim: 0, must be 1 or more");
        refused(() -> builder.slidingWindow(0), "slidingWindow: 0, must be 1 or more");
        refused(() -> builder.outputShape(), "outputShape: none given");
        refused(() -> builder.outputShape(3, 0), "outputShape: 0, must be 1 or more");
        refused(() -> builder.attentionAxes(), "attentionAxes: none given");
        refused(() -> builder.dropout(1), "dropout: rate 1.0, must be 0 or more, and less than 1");
        refused(() -> builder.dropout(Double.NaN), "dropout: rate NaN, must be 0 or more, and less than 1");
        refused(() -> builder.build(engine), "keyDim: not set");
        refused(() -> builder.keyDim(4).build(engine), "heads: not set");
        GroupQueryAttention.Builder grouped = GroupQueryAttention.builder();
        refused(() -> grouped.headDim(0), "headDim: 0");
        refused(() -> grouped.queryHeads(0), "queryHeads: 0");
        refused(() -> grouped.keyValueHeads(0), "keyValueHeads: 0");
        refused(() -> grouped.keyValueHeads(2).queryHeads(5).build(engine), "queryHeads: 5", "multiple of", "is 2");
        refused(() -> grouped.queryHeads(4).build(engine), "headDim: not set");
    }

    @Test
    void inputsOnAnotherEngine() {
        Tensor input = tensor(2, 5, 6);
        EngineInfo device = TestEngines.quickOpenCl().get(0);
        try (MultiHeadAttention layer = layer();
                AttentionEngine other = TestEngines.open(device);
                AttentionEngine third = TestEngines.open(device);
                MultiHeadAttention there =
                        MultiHeadAttention.builder().heads(2).keyDim(4).build(third)) {
            Tensor elsewhere = other.upload(input);
            refused(() -> layer.call(elsewhere, input), "query: Tensor[2, 5, 6]", "must be on the host or on", "cpu");
            refused(
                    () -> LayerCheck.call(there, input, elsewhere, input),
                    "value: ",
                    "must be on the host or on",
                    device.id());
            refused(
                    () -> LayerCheck.call(there, input, input, elsewhere),
                    "key: ",
                    "must be on the host or on",
                    device.id());
        }
    }

    @Test
    void inputsThatDoNotFitTogether() {
        try (MultiHeadAttention layer = layer()) {
            Tensor query = tensor(2, 5, 6);
            refused(() -> AttentionInputs.builder().value(query).build(), "query: not given");
            refused(() -> AttentionInputs.builder().query(query).build(), "value: not given");
            refused(() -> layer.call(tensor(5, 6), query), "query: shape [5, 6]", "[batch, length, features]");
            refused(() -> layer.call(query, tensor(2, 3, 5, 6)), "value: shape [2, 3, 5, 6]", "3 axes");
            refused(() -> layer.call(query, tensor(1, 5, 6)), "value: shape [1, 5, 6]", "[1]", "must have [2]");
            refused(
                    () -> LayerCheck.call(layer, query, tensor(2, 7, 6), tensor(2, 8, 6)),
                    "key: shape [2, 8, 6]",
                    "[8]",
                    "must have [7] as value has");
            refused(() -> layer.call(query, tensor(2, 7, 0)), "value: shape [2, 7, 0]", "at least one feature");
            refused(() -> layer.call(query, query.to(DType.FLOAT16)), "value: type FLOAT16, must be FLOAT32");
            Tensor doubles = query.to(DType.FLOAT64);
            refused(() -> layer.call(doubles, doubles), "query: type FLOAT64", "BFLOAT16");
            assertThat(layer.hasWeights()).as("refused before anything is made").isFalse();
        }
    }

    @Test
    void attentionAxes() {
        Tensor input = tensor(2, 3, 4, 6);
        for (int axis : new int[] {0, 3, 4, -1, -4}) {
            MultiHeadAttention.Builder builder =
                    MultiHeadAttention.builder().heads(2).keyDim(4);
            try (MultiHeadAttention layer = builder.attentionAxes(axis).build(engine)) {
                refused(() -> layer.call(input, input), "attentionAxes: [" + axis + "]", "1 to 2", "-3 to -2");
            }
        }
        MultiHeadAttention.Builder builder =
                MultiHeadAttention.builder().heads(2).keyDim(4);
        try (MultiHeadAttention layer = builder.attentionAxes(1, -3).build(engine)) {
            refused(() -> layer.call(input, input), "attentionAxes: [1, -3]", "each axis once");
        }
        try (MultiHeadAttention layer = builder.attentionAxes(2).build(engine)) {
            refused(() -> layer.call(input, tensor(2, 5, 4, 6)), "value: shape [2, 5, 4, 6]", "must have [2, 3]");
        }
        try (MultiHeadAttention layer = layer()) {
            refused(() -> layer.call(inputs(input, input).causal(true).build()), "causal: true over 2 attention axes");
        }
        MultiHeadAttention.Builder windowed =
                MultiHeadAttention.builder().heads(2).keyDim(4).slidingWindow(3);
        try (MultiHeadAttention layer = windowed.build(engine)) {
            refused(() -> layer.call(input, input), "slidingWindow: 3 over 2 attention axes");
        }
    }

    @Test
    void masks() {
        try (MultiHeadAttention layer = layer()) {
            Tensor query = tensor(2, 5, 6);
            Tensor value = tensor(2, 7, 6);
            AttentionInputs.Builder builder = inputs(query, value);
            refused(() -> builder.queryMask(tensor(2, 5)), "queryMask: type FLOAT32 of shape [2, 5], must be BOOL");
            refused(
                    () -> layer.call(inputs(query, value).queryMask(mask(2, 7)).build()),
                    "queryMask: shape [2, 7], must be [2, 5]");
            refused(
                    () -> layer.call(inputs(query, value).valueMask(mask(7)).build()),
                    "valueMask: shape [7], must be [2, 7]");
            refused(
                    () -> layer.call(inputs(query, value).keyMask(mask(2, 7, 1)).build()),
                    "keyMask: shape [2, 7, 1], must be [2, 7]");
            for (Tensor wrong : new Tensor[] {mask(7), mask(1, 2, 2, 5, 7), mask(2, 5, 6), mask(3, 5, 7)}) {
                refused(
                        () -> layer.call(
                                inputs(query, value).attentionMask(wrong).build()),
                        "attentionMask: shape " + java.util.Arrays.toString(wrong.shape()),
                        "2 to 4 axes",
                        "[2, 2, 5, 7]");
            }
        }
    }

    private static Tensor mask(long... shape) {
        return Tensor.zeros(DType.BOOL, shape);
    }

    @Test
    void featuresThatDoNotFitTheWeights() {
        try (MultiHeadAttention layer = layer()) {
            layer.initialize(6, 7, 8);
            Tensor query = tensor(2, 5, 6);
            Tensor value = tensor(2, 4, 7);
            Tensor key = tensor(2, 4, 8);
            assertThat(LayerCheck.call(layer, query, value, key).shape()).containsExactly(2, 5, 6);
            refused(
                    () -> LayerCheck.call(layer, value, value, key),
                    "query: shape [2, 4, 7]",
                    "6 features",
                    "query.kernel");
            refused(
                    () -> LayerCheck.call(layer, query, key, value),
                    "value: shape [2, 4, 8]",
                    "7 features",
                    "value.kernel");
            refused(() -> layer.call(query, value), "key: shape [2, 4, 7]", "8 features", "key.kernel");
        }
    }

    @Test
    void whatIsOnAnotherEngine() {
        Tensor input = tensor(2, 5, 6);
        try (AttentionEngine device = TestEngines.open(TestEngines.quickOpenCl().get(0));
                MultiHeadAttention layer = layer();
                Tensor there = device.upload(input);
                Tensor mask = device.upload(Tensor.of(new boolean[10], 2, 5))) {
            refused(() -> layer.call(input, there), "value: ", "must be on the host or on the layer's engine cpu");
            AttentionInputs masked = inputs(input, input).keyMask(mask).build();
            refused(() -> layer.call(masked), "keyMask: ", "must be on the host or on the layer's engine cpu");
        }
    }

    @Test
    void weightsOfNoWidth() {
        try (MultiHeadAttention layer = layer()) {
            refused(() -> layer.initialize(0, 7, 8), "queryFeatures: 0, must be 1 or more");
            refused(() -> layer.initialize(6, -1, 8), "valueFeatures: -1, must be 1 or more");
            refused(() -> layer.initialize(6, 7, 0), "keyFeatures: 0, must be 1 or more");
            layer.initialize(6, 7, 8);
            assertThat(LayerCheck.call(layer, tensor(2, 5, 6), tensor(2, 4, 7), tensor(2, 4, 8))
                            .shape())
                    .containsExactly(2, 5, 6);
        }
    }

    @Test
    void whatIsClosedOrNotThereYet() {
        MultiHeadAttention layer = layer();
        Tensor input = tensor(2, 5, 6);
        Tensor closed = tensor(2, 5, 6);
        closed.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> layer.call(input, closed))
                .withMessage("value: the tensor is closed, must be open");
        assertThatIllegalStateException()
                .isThrownBy(layer::weights)
                .withMessageStartingWith("weights: there are none yet");
        LayerResult result = layer.call(inputs(input, input).build());
        assertThatIllegalStateException().isThrownBy(result::scores).withMessageContaining("scores(true)");
        layer.close();
        layer.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> layer.call(input, input))
                .withMessage("the layer is closed");
        assertThatIllegalStateException().isThrownBy(layer::weights).withMessage("the layer is closed");
        assertThat(engine.isClosed()).as("the caller's").isFalse();
    }
}
