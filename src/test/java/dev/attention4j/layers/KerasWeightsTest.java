package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Files as Keras 3 saves them; {@code make.py} next to them made them, and counts each weight up from a start. */
class KerasWeightsTest {
    private static final Path FOLDER = Path.of("src", "test", "resources", "keras");
    private static final Path GATED = FOLDER.resolve("gated.weights.h5");
    private static final Path THREE = FOLDER.resolve("three_layers.keras");

    private static MultiHeadAttention.Builder builder() {
        return MultiHeadAttention.builder().heads(3).keyDim(4).valueDim(2);
    }

    private static void counted(Map<String, Tensor> weights, String name, double start, long... shape) {
        Tensor tensor = weights.get(name);
        assertThat(tensor).as(name).isNotNull();
        assertThat(tensor.shape()).as(name).isEqualTo(shape);
        double[] elements = tensor.toDoubleArray();
        for (int n = 0; n < elements.length; n++) {
            assertThat(elements[n]).as(name + " at " + n).isEqualTo(start + n / 64.0);
        }
    }

    @Test
    void aWeightsFileWithOneLayer() throws IOException {
        LayerWeights weights = LayerWeights.keras(GATED);
        Map<String, Tensor> tensors = weights.tensors();
        assertThat(tensors).hasSize(10);
        counted(tensors, "query.kernel", 0, 6, 3, 4);
        counted(tensors, "query.bias", 10, 3, 4);
        counted(tensors, "key.kernel", 20, 5, 3, 4);
        counted(tensors, "key.bias", 30, 3, 4);
        counted(tensors, "value.kernel", 40, 5, 3, 2);
        counted(tensors, "value.bias", 50, 3, 2);
        counted(tensors, "attention_output.kernel", 60, 3, 2, 6);
        counted(tensors, "attention_output.bias", 70, 6);
        counted(tensors, "gate.kernel", 80, 6, 3, 2);
        counted(tensors, "gate.bias", 90, 3, 2);
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                MultiHeadAttention layer = builder().gate(true).build(engine)) {
            layer.load(weights);
            assertThat(layer.call(Tensor.random(1, 2, 4, 6), Tensor.random(2, 2, 7, 5))
                            .shape())
                    .containsExactly(2, 4, 6);
        }
    }

    @Test
    void aHalfPrecisionFile() throws IOException {
        Map<String, Tensor> tensors =
                LayerWeights.keras(FOLDER.resolve("half.weights.h5")).tensors();
        counted(tensors, "query.bias", 10, 3, 4);
        assertThat(tensors).hasSize(8);
    }

    /** A layer of bfloat16 cannot be read, the others can. */
    @Test
    void aFileWithBrainFloats() throws IOException {
        Path file = FOLDER.resolve("brain_floats.weights.h5");
        counted(LayerWeights.keras(file, "layers/multi_head_attention").tensors(), "query.bias", 10, 3, 4);
        assertThatThrownBy(() -> LayerWeights.keras(file, "layers/multi_head_attention_1"))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("\"layers/multi_head_attention_1/")
                .hasMessageContaining("bfloat16")
                .hasMessageContaining("must be float32");
    }

    @Test
    void oneOfSeveralLayersOfAModel() throws IOException {
        counted(LayerWeights.keras(THREE, "layers/multi_head_attention").tensors(), "query.kernel", 0, 6, 3, 4);
        counted(LayerWeights.keras(THREE, "layers/multi_head_attention_1").tensors(), "key.bias", 130, 3, 4);
        LayerWeights grouped = LayerWeights.keras(THREE, "layers/functional/layers/grouped_query_attention");
        counted(grouped.tensors(), "query.kernel", 0, 6, 4, 2);
        counted(grouped.tensors(), "key.kernel", 20, 6, 2, 2);
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                GroupQueryAttention layer = GroupQueryAttention.builder()
                        .headDim(2)
                        .queryHeads(4)
                        .keyValueHeads(2)
                        .build(engine)) {
            layer.load(grouped);
            assertThat(layer.weights().tensors()).hasSize(8);
        }
    }

    @Test
    void whichOfSeveralMustBeSaid() {
        assertThatThrownBy(() -> LayerWeights.keras(THREE))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("holds 3 attention layers, one must be named")
                .hasMessageContaining("\"layers/multi_head_attention_1\"");
        assertThatThrownBy(() -> LayerWeights.keras(THREE, "layers/attention"))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("has no attention layer \"layers/attention\"")
                .hasMessageContaining("\"layers/functional/layers/grouped_query_attention\"");
    }

    @Test
    void whatDoesNotFitIsNamedAsTheFileNamesIt() throws IOException {
        LayerWeights gated = LayerWeights.keras(GATED);
        LayerWeights grouped = LayerWeights.keras(THREE, "layers/functional/layers/grouped_query_attention");
        LayerWeights plain = LayerWeights.keras(THREE, "layers/multi_head_attention");
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                MultiHeadAttention ungated = builder().build(engine);
                MultiHeadAttention wider = builder().keyDim(5).gate(true).build(engine);
                MultiHeadAttention withGate = builder().gate(true).build(engine)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> ungated.load(gated))
                    .withMessageContaining("\"layers/multi_head_attention/_gate_dense/vars/0\" (gate.kernel)")
                    .withMessageContaining("built without a gate")
                    .withMessageContaining("\"layers/dense/vars/0\"");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> wider.load(gated))
                    .withMessageContaining("\"layers/multi_head_attention/query_dense/vars/0\" (query.kernel)")
                    .withMessageContaining("shape [6, 3, 4], must have [6, 3, 5]");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> withGate.load(plain))
                    .withMessageContaining("has no \"layers/multi_head_attention/_gate_dense/vars/0\" (gate.kernel)");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> ungated.load(grouped))
                    .withMessageContaining("grouped_query_attention/_query_dense/vars/0\" (query.kernel)");
        }
    }
}
