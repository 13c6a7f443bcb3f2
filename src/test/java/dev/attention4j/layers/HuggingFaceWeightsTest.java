package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files as Transformers writes them, whose numbers say where they belong. */
class HuggingFaceWeightsTest {
    private static final int FEATURES = 10;
    private static final int HEADS = 4;
    private static final int KEY_VALUE_HEADS = 2;
    private static final int WIDTH = 3;

    @TempDir
    private Path folder;

    /** [outputs, inputs] of {@code number + output + input / 100}. */
    private static Tensor linear(int number, int outputs, int inputs) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, outputs, inputs);
        for (int n = 0; n < outputs * inputs; n++) {
            tensor.floats().put(n, weight(number, n / inputs, n % inputs));
        }
        return tensor;
    }

    private static float weight(int number, int output, int input) {
        return 1000 * number + output + input / 100f;
    }

    private static Tensor bias(int number, int outputs) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, outputs);
        for (int n = 0; n < outputs; n++) {
            tensor.floats().put(n, -weight(number, n, 0));
        }
        return tensor;
    }

    private static void assertPlaces(LayerWeights weights, int heads, int keyValueHeads) {
        assertInput(weights, "query", 1, heads);
        assertInput(weights, "key", 2, keyValueHeads);
        assertInput(weights, "value", 3, keyValueHeads);
        Tensor output = weights.tensors().get("attention_output.kernel");
        assertThat(output.shape()).containsExactly(heads, WIDTH, FEATURES);
        for (int head = 0; head < heads; head++) {
            for (int n = 0; n < WIDTH * FEATURES; n++) {
                assertThat((float) output.get(head, n / FEATURES, n % FEATURES))
                        .isEqualTo(weight(4, n % FEATURES, head * WIDTH + n / FEATURES));
            }
        }
    }

    private static void assertInput(LayerWeights weights, String name, int number, int heads) {
        Tensor kernel = weights.tensors().get(name + ".kernel");
        assertThat(kernel.shape()).containsExactly(FEATURES, heads, WIDTH);
        for (int feature = 0; feature < FEATURES; feature++) {
            for (int n = 0; n < heads * WIDTH; n++) {
                assertThat((float) kernel.get(feature, n / WIDTH, n % WIDTH)).isEqualTo(weight(number, n, feature));
            }
        }
    }

    private static Map<String, Tensor> llama(String prefix) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(prefix + "q_proj.weight", linear(1, HEADS * WIDTH, FEATURES));
        tensors.put(prefix + "k_proj.weight", linear(2, KEY_VALUE_HEADS * WIDTH, FEATURES));
        tensors.put(prefix + "v_proj.weight", linear(3, KEY_VALUE_HEADS * WIDTH, FEATURES));
        tensors.put(prefix + "o_proj.weight", linear(4, FEATURES, HEADS * WIDTH));
        return tensors;
    }

    private Path write(Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve("model.safetensors");
        Safetensors.write(file, tensors, Map.of());
        return file;
    }

    private static GroupQueryAttention.Builder grouped() {
        return GroupQueryAttention.builder()
                .queryHeads(HEADS)
                .keyValueHeads(KEY_VALUE_HEADS)
                .headDim(WIDTH);
    }

    @Test
    void llama() throws IOException {
        Map<String, Tensor> model = llama("model.layers.0.self_attn.");
        model.put("model.layers.0.self_attn.rotary_emb.inv_freq", Tensor.zeros(DType.FLOAT32, 2));
        model.put("model.layers.0.mlp.up_proj.weight", linear(9, 5, 5));
        model.putAll(llama("model.layers.1.self_attn."));
        Path file = write(model);
        for (String prefix : new String[] {"model.layers.0.self_attn.", "model.layers.0."}) {
            LayerWeights weights = LayerWeights.huggingFace(file, prefix, HEADS, KEY_VALUE_HEADS);
            assertPlaces(weights, HEADS, KEY_VALUE_HEADS);
            assertThat(weights.tensors()).hasSize(4);
            try (AttentionEngine engine = AttentionEngine.open("cpu");
                    GroupQueryAttention layer = grouped().bias(false).build(engine)) {
                layer.load(weights);
                assertThat(layer.call(Tensor.random(1, 1, 3, FEATURES)).shape()).containsExactly(1, 3, FEATURES);
            }
        }
    }

    /** Qwen2 has no bias of the output, Whisper none of the key. */
    @Test
    void biasesThatAreMissingBesideOthersAreZero() throws IOException {
        Map<String, Tensor> model = llama("a.");
        model.put("a.q_proj.bias", bias(1, HEADS * WIDTH));
        model.put("a.v_proj.bias", bias(3, KEY_VALUE_HEADS * WIDTH));
        LayerWeights weights = LayerWeights.huggingFace(write(model), "a.", HEADS, KEY_VALUE_HEADS);
        Map<String, Tensor> tensors = weights.tensors();
        assertThat((float) tensors.get("query.bias").get(2, 1)).isEqualTo(-weight(1, 2 * WIDTH + 1, 0));
        assertThat((float) tensors.get("value.bias").get(1, 2)).isEqualTo(-weight(3, WIDTH + 2, 0));
        assertThat(tensors.get("key.bias").toFloatArray())
                .hasSize(KEY_VALUE_HEADS * WIDTH)
                .containsOnly(0);
        assertThat(tensors.get("attention_output.bias").toFloatArray())
                .hasSize(FEATURES)
                .containsOnly(0);
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                GroupQueryAttention layer = grouped().build(engine);
                GroupQueryAttention without = grouped().bias(false).build(engine)) {
            layer.load(weights);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> without.load(weights))
                    .withMessageContaining("\"a.q_proj.bias\" (query.bias)")
                    .withMessageContaining("built without biases");
        }
    }

    @Test
    void bert() throws IOException {
        String[] names = {"self.query", "self.key", "self.value", "output.dense"};
        Map<String, Tensor> model = new LinkedHashMap<>();
        for (int n = 0; n < names.length; n++) {
            boolean isOutput = n == 3;
            String name = "bert.encoder.layer.7.attention." + names[n];
            model.put(
                    name + ".weight",
                    linear(n + 1, isOutput ? FEATURES : HEADS * WIDTH, isOutput ? HEADS * WIDTH : FEATURES));
            model.put(name + ".bias", bias(n + 1, isOutput ? FEATURES : HEADS * WIDTH));
        }
        model.put("bert.encoder.layer.7.attention.output.LayerNorm.weight", bias(5, FEATURES));
        model.put("bert.encoder.layer.7.output.dense.weight", linear(6, 5, 5));
        Path file = write(model);
        for (String prefix : new String[] {"bert.encoder.layer.7.attention.", "bert.encoder.layer.7."}) {
            LayerWeights weights = LayerWeights.huggingFace(file, prefix, HEADS, HEADS);
            assertPlaces(weights, HEADS, HEADS);
            assertThat((float) weights.tensors().get("attention_output.bias").get(8))
                    .isEqualTo(-weight(4, 8, 0));
            try (AttentionEngine engine = AttentionEngine.open("cpu");
                    MultiHeadAttention layer = MultiHeadAttention.builder()
                            .heads(HEADS)
                            .keyDim(WIDTH)
                            .build(engine)) {
                layer.load(weights);
                assertThat(layer.weights().toString())
                        .contains("model.safetensors {query.kernel=[10, 4, 3]")
                        .doesNotContain("FLOAT32");
            }
        }
    }

    @Test
    void outProjIsTheOutputToo() throws IOException {
        Map<String, Tensor> model = llama("");
        model.put("out_proj.weight", model.remove("o_proj.weight"));
        assertPlaces(LayerWeights.huggingFace(write(model), "", HEADS, KEY_VALUE_HEADS), HEADS, KEY_VALUE_HEADS);
    }

    @Test
    void whatDoesNotFitIsNamed() throws IOException {
        Map<String, Tensor> model = llama("a.");
        Path file = write(model);
        refused(file, "b.", HEADS, "no attention after \"b.\"", "\"a.q_proj.weight\"");
        refused(file, "a.", 5, "\"a.q_proj.weight\" has the shape [12, 10]", "a multiple of 5 on axis 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerWeights.huggingFace(file, "a.", 0, 1))
                .withMessage("heads: 0, must be 1 or more");
        model.put("a.q_norm.weight", bias(7, WIDTH));
        refused(write(model), "a.", HEADS, "\"a.q_norm.weight\" is not a weight of such a layer");
        model.remove("a.q_norm.weight");
        model.put("a.q_proj.bias", bias(1, 7));
        refused(write(model), "a.", HEADS, "\"a.q_proj.bias\" has the shape [7], must have [12]");
        model.remove("a.q_proj.bias");
        model.remove("a.v_proj.weight");
        refused(write(model), "a.", HEADS, "a.v_proj.weight");
        model.put("a.v_proj.weight", Tensor.random(1, 3));
        refused(write(model), "a.", HEADS, "\"a.v_proj.weight\" has the shape [3], must have 2 axes");
    }

    private static void refused(Path file, String prefix, int heads, String... parts) {
        assertThatThrownBy(() -> LayerWeights.huggingFace(file, prefix, heads, KEY_VALUE_HEADS))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContainingAll(parts);
    }
}
