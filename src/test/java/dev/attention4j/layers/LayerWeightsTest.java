package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.testing.LayerCheck;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LayerWeightsTest {
    private static final int EMBEDDING = 6;
    private static final int HEADS = 2;

    @TempDir
    private Path folder;

    private final AttentionEngine engine = AttentionEngine.open("cpu");

    @AfterEach
    void close() {
        engine.close();
    }

    private MultiHeadAttention.Builder builder() {
        return MultiHeadAttention.builder().heads(HEADS).keyDim(EMBEDDING / HEADS);
    }

    @Test
    void whatIsWrittenIsReadAgain() throws IOException {
        Path file = folder.resolve("layer.safetensors");
        Tensor input = Tensor.random(1, 2, 5, EMBEDDING);
        try (MultiHeadAttention first = builder().gate(true).build(engine);
                MultiHeadAttention second = builder().gate(true).build(engine)) {
            float[] output = first.call(input, input).toFloatArray();
            first.weights().write(file);
            second.load(LayerWeights.safetensors(file));
            assertThat(second.call(input, input).toFloatArray()).isEqualTo(output);
            assertThat(Safetensors.read(file).tensors().keySet())
                    .containsExactlyInAnyOrder(
                            "query.kernel",
                            "query.bias",
                            "key.kernel",
                            "key.bias",
                            "value.kernel",
                            "value.bias",
                            "gate.kernel",
                            "gate.bias",
                            "attention_output.kernel",
                            "attention_output.bias");
        }
    }

    @Test
    void weightsAreTakenAgainWhileTheLayerLives() {
        Tensor input = Tensor.random(1, 2, 5, EMBEDDING);
        try (MultiHeadAttention layer = builder().seed(1).build(engine);
                MultiHeadAttention other = builder().seed(2).build(engine)) {
            float[] before = layer.call(input, input).toFloatArray();
            float[] wanted = other.call(input, input).toFloatArray();
            assertThat(before).isNotEqualTo(wanted);
            layer.load(other.weights());
            assertThat(layer.call(input, input).toFloatArray()).isEqualTo(wanted);
        }
    }

    @Test
    void aPartOfALargerFile() throws IOException {
        Path file = folder.resolve("model.safetensors");
        Tensor input = Tensor.random(1, 2, 5, EMBEDDING);
        try (MultiHeadAttention first = builder().build(engine);
                MultiHeadAttention second = builder().build(engine)) {
            float[] output = first.call(input, input).toFloatArray();
            Map<String, Tensor> model = new LinkedHashMap<>();
            first.weights().tensors().forEach((name, tensor) -> model.put("encoder.0." + name, tensor));
            model.put("embedding", Tensor.random(9, 4, 4));
            Safetensors.write(file, model, Map.of());
            second.load(LayerWeights.safetensors(file, "encoder.0."));
            assertThat(second.call(input, input).toFloatArray()).isEqualTo(output);

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> second.load(LayerWeights.safetensors(file, "encoder.1.")))
                    .withMessageContaining(file.toString())
                    .withMessageContaining("has no \"encoder.1.query.kernel\" (query.kernel)")
                    .withMessageContaining("it holds \"embedding\", \"encoder.0.attention_output.bias\"")
                    .withMessageContaining("\"embedding\"");
        }
    }

    @Test
    void whatIsMissingExtraOrWronglyShapedIsNamed() {
        Map<String, Tensor> right = new LinkedHashMap<>();
        try (MultiHeadAttention layer = builder().build(engine)) {
            layer.initialize(EMBEDDING, EMBEDDING, EMBEDDING);
            right.putAll(layer.weights().tensors());
            refused(
                    layer,
                    right,
                    "key.bias",
                    null,
                    "has no \"key.bias\", which this layer must have; it holds \"query");
            refused(layer, right, "query.kernel", null, "has no \"query.kernel\"");
            refused(layer, right, "gate.bias", Tensor.random(1, 2, 3), "has \"gate.bias\"", "built without a gate");
            refused(layer, right, "value.scale", Tensor.random(1, 2), "has \"value.scale\"", "no place; it holds");
            refused(
                    layer,
                    right,
                    "value.kernel",
                    Tensor.random(1, 6, 3, 2),
                    "\"value.kernel\"",
                    "shape [6, 3, 2], must have [6, 2, 3]",
                    "the source holds \"query.kernel\"");
            refused(layer, right, "query.kernel", Tensor.random(1, 6, 6), "[6, 6], must have [features, 2, 3]");
            refused(
                    layer,
                    right,
                    "attention_output.bias",
                    Tensor.random(1, 5),
                    "\"attention_output.bias\"",
                    "[5], must have [6]");
            assertThat(layer.weights().tensors()).as("what was there stays").isEqualTo(right);
        }
        try (MultiHeadAttention unbiased = builder().bias(false).build(engine)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> unbiased.load(LayerWeights.of(right)))
                    .withMessageContaining("\"query.bias\"")
                    .withMessageContaining("built without biases");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerWeights.of(Map.of("query.kernel", Tensor.zeros(DType.INT32, 6, 2, 3))))
                .withMessage("weights: \"query.kernel\" is INT32, must be of a float type");
    }

    private static void refused(
            MultiHeadAttention layer, Map<String, Tensor> right, String name, Tensor tensor, String... words) {
        Map<String, Tensor> wrong = new LinkedHashMap<>(right);
        if (tensor == null) {
            wrong.remove(name);
        } else {
            wrong.put(name, tensor);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> layer.load(LayerWeights.of(wrong)))
                .satisfies(e -> assertThat(e.getMessage()).contains(words));
    }

    // ---- PyTorch

    private static Map<String, Tensor> torch(String prefix) {
        Map<String, Tensor> module = new LinkedHashMap<>();
        module.put(prefix + "in_proj_weight", Tensor.random(1, 3 * EMBEDDING, EMBEDDING));
        module.put(prefix + "in_proj_bias", Tensor.random(2, 3 * EMBEDDING));
        module.put(prefix + "out_proj.weight", Tensor.random(3, EMBEDDING, EMBEDDING));
        module.put(prefix + "out_proj.bias", Tensor.random(4, EMBEDDING));
        return module;
    }

    private Path written(Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve("torch.safetensors");
        Safetensors.write(file, tensors, Map.of());
        return file;
    }

    @Test
    void whatIsOfNoFloatTypeInAFileIsTheFilesFault() throws IOException {
        Path file = folder.resolve("layer.safetensors");
        Safetensors.write(file, Map.of("a.query.kernel", Tensor.zeros(DType.INT32, 1)), Map.of());
        assertThatThrownBy(() -> LayerWeights.safetensors(file, "a."))
                .isInstanceOf(FileFormatException.class)
                .hasMessage(file + ": \"a.query.kernel\" is INT32, a weight must be of a float type");
    }

    /** A layer of a quantised model: next to it is a tensor of a type that this library lacks. */
    @Test
    void whatLiesBesideALayerIsLeftAlone() throws IOException {
        Path file = folder.resolve("model.safetensors");
        String header = "{\"ids\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                + "\"a.query.bias\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[8,12]},"
                + "\"more\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[12,14]}}";
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length() + 14).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length()).put(header.getBytes(StandardCharsets.US_ASCII));
        bytes.putLong(-1).putFloat(2.5f).putShort((short) -1);
        Files.write(file, bytes.array());
        LayerWeights weights = LayerWeights.safetensors(file, "a.");
        assertThat(weights.tensors()).containsOnlyKeys("query.bias");
        assertThat(weights.tensors().get("query.bias").get(0, 0)).isEqualTo(2.5);
        assertThatThrownBy(() -> LayerWeights.torch(file, "b.", HEADS))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("it holds \"ids\", \"a.query.bias\", \"more\"");
        assertThatThrownBy(() -> Safetensors.read(file))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("dtype is \"U32\"");
    }

    /** PyTorch's: y = W · x + b with W [outputs, features]; here that of one element is written out. */
    @Test
    void torchWeightsAreTurnedRound() throws IOException {
        Map<String, Tensor> module = torch("encoder.self_attn.");
        module.put("encoder.norm.weight", Tensor.random(5, EMBEDDING));
        Map<String, Tensor> weights =
                LayerWeights.torch(written(module), "encoder.self_attn.", HEADS).tensors();
        Tensor stacked = module.get("encoder.self_attn.in_proj_weight");
        Tensor out = module.get("encoder.self_attn.out_proj.weight");
        Tensor bias = module.get("encoder.self_attn.in_proj_bias");
        for (int feature = 0; feature < EMBEDDING; feature++) {
            for (int head = 0; head < HEADS; head++) {
                for (int n = 0; n < 3; n++) {
                    int row = head * 3 + n;
                    assertThat(weights.get("query.kernel").get(feature, head, n))
                            .isEqualTo(stacked.get(row, feature));
                    assertThat(weights.get("key.kernel").get(feature, head, n))
                            .isEqualTo(stacked.get(EMBEDDING + row, feature));
                    assertThat(weights.get("value.kernel").get(feature, head, n))
                            .isEqualTo(stacked.get(2 * EMBEDDING + row, feature));
                    assertThat(weights.get("attention_output.kernel").get(head, n, feature))
                            .isEqualTo(out.get(feature, row));
                    assertThat(weights.get("key.bias").get(head, n)).isEqualTo(bias.get(EMBEDDING + row));
                }
            }
        }
        try (MultiHeadAttention layer = builder().build(engine)) {
            layer.load(LayerWeights.torch(written(module), "encoder.self_attn.", HEADS));
            Tensor input = Tensor.random(6, 2, 5, EMBEDDING);
            assertThat(layer.call(input, input).shape()).containsExactly(2, 5, EMBEDDING);
        }
    }

    @Test
    void torchWeightsOfDifferentWidthsAndWithoutBias() throws IOException {
        Map<String, Tensor> module = torch("");
        module.remove("in_proj_weight");
        module.remove("in_proj_bias");
        module.remove("out_proj.bias");
        module.put("q_proj_weight", Tensor.random(1, EMBEDDING, EMBEDDING));
        module.put("k_proj_weight", Tensor.random(2, EMBEDDING, 4));
        module.put("v_proj_weight", Tensor.random(3, EMBEDDING, 8));
        try (MultiHeadAttention layer = builder().bias(false).build(engine)) {
            LayerWeights weights = LayerWeights.torch(written(module), "", HEADS);
            layer.load(weights);
            assertThat(weights.tensors().get("key.kernel").shape()).containsExactly(4, 2, 3);
            assertThat(LayerCheck.call(
                                    layer,
                                    Tensor.random(4, 1, 5, 6),
                                    Tensor.random(5, 1, 7, 8),
                                    Tensor.random(6, 1, 7, 4))
                            .shape())
                    .containsExactly(1, 5, 6);
        }
        try (MultiHeadAttention layer = builder().build(engine)) {
            Path file = written(module);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> layer.load(LayerWeights.torch(file, "", HEADS)))
                    .withMessageContaining("has no \"in_proj_bias\" (query.bias)")
                    .withMessageContaining("\"k_proj_weight\"");
        }
    }

    @Test
    void torchWeightsThatAreWrongAreNamed() throws IOException {
        torchRefused("out_proj.weight", null, "has no tensor \"out_proj.weight\"; it holds");
        torchRefused("out_proj.bias", null, "has no tensor \"out_proj.bias\"");
        torchRefused("in_proj_weight", null, "is not there, must be: \"in_proj_weight\", or \"q_proj_weight\"");
        torchRefused(
                "in_proj_weight", Tensor.random(1, 17, 6), "\"in_proj_weight\" has the shape [17, 6], must have [18");
        torchRefused(
                "in_proj_weight",
                Tensor.random(1, 18, 5),
                "\"in_proj_weight\" has the shape [18, 5], must have [18, 6]");
        torchRefused("in_proj_weight", Tensor.random(1, 18), "[18], must have 2 axes");
        torchRefused("in_proj_bias", Tensor.random(1, 6), "\"in_proj_bias\" has the shape [6], must have [18]");
        torchRefused("out_proj.weight", Tensor.random(1, 6, 5), "\"out_proj.weight\" has the shape [6, 5]");
        torchRefused("bias_k", Tensor.random(1, 1, 1, 6), "\"bias_k\" is not a weight of such a layer");
        Path file = written(torch(""));
        assertThatThrownBy(() -> LayerWeights.torch(file, "", 4))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("must have a multiple of 4 rows");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerWeights.torch(file, "", 0))
                .withMessage("heads: 0, must be 1 or more");
    }

    private void torchRefused(String name, Tensor tensor, String words) throws IOException {
        Map<String, Tensor> module = torch("");
        if (tensor == null) {
            module.remove(name);
        } else {
            module.put(name, tensor);
        }
        Path file = written(module);
        assertThatThrownBy(() -> LayerWeights.torch(file, "", HEADS))
                .isInstanceOf(FileFormatException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(words);
    }
}
