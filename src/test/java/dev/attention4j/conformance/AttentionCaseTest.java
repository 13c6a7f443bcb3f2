package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.testing.CaseFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionCaseTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{}                                            | Attention[]",
                "{\"scale\": 2}                                | Attention[scale=2.0]",
                "{\"scale\": -0.125, \"softcap\": 50.0}        | Attention[scale=-0.125, softcap=50.0]",
                "{\"causal\": \"TOP_LEFT\"}                    | Attention[causal, TOP_LEFT]",
                "{\"causal\": \"BOTTOM_RIGHT\"}                | Attention[causal, BOTTOM_RIGHT]",
                "{\"causal\": true}                            | Attention[causal, TOP_LEFT]",
                "{\"causal\": false}                           | Attention[]",
                "{\"causal\": true, \"offsets\": 3}            | Attention[causal, offsets=[3]]",
                "{\"causal\": true, \"offsets\": [3, -1]}      | Attention[causal, offsets=[3, -1]]",
                "{\"causal\": true, \"alignment\": \"BOTTOM_RIGHT\"} | Attention[causal, BOTTOM_RIGHT]",
                "{\"window\": [2, -1]}                         | Attention[window=2,-1, TOP_LEFT]",
                "{\"window\": [2, 0], \"causal\": \"BOTTOM_RIGHT\"} | Attention[causal, window=2,0, BOTTOM_RIGHT]",
                "{\"window\": [2, 1], \"alignment\": \"BOTTOM_RIGHT\"} | Attention[window=2,1, BOTTOM_RIGHT]",
                "{\"window\": [2, 1], \"offsets\": 4}          | Attention[window=2,1, offsets=[4]]",
                "{\"keyLengths\": 4}                          | Attention[keyLengths=[4]]",
                "{\"keyLengths\": [4, 0]}                     | Attention[keyLengths=[4, 0]]",
                "{\"cumulativeQueryLengths\": [0, 3], \"cumulativeKeyLengths\": [0, 5]}"
                        + " | Attention[cumulativeLengths=[0, 3],[0, 5]]",
                "{\"alibiSlopes\": [0.5, 1]}                  | Attention[TOP_LEFT, alibiSlopes=[0.5, 1.0]]",
                "{\"alibiSlopes\": 2, \"alignment\": \"BOTTOM_RIGHT\"} | Attention[BOTTOM_RIGHT, alibiSlopes=[2.0]]",
                "{\"alibiSlopes\": 2, \"offsets\": [1, 2]}    | Attention[offsets=[1, 2], alibiSlopes=[2.0]]",
                "{\"sinks\": [0, -1.5, \"-inf\"]}              | Attention[sinks=[0.0, -1.5, -Infinity]]",
            })
    void attributesSpeakTheWordsOfAttention(String json, String operation) throws IOException {
        assertThat(AttentionAttributes.parse(json, "file").build()).hasToString(operation);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"is_causal\": 1}                     | attribute \"is_causal\" is not known, must be one of [scale,",
                "{\"scale\": \"2\"}                     | attribute \"scale\" is \"2\", must be a number",
                "{\"scale\": null}                      | attribute \"scale\" is \"null\", must be a number",
                "{\"scale\": 1e999}                     | scale: Infinity, must be a finite float",
                "{\"softcap\": 0}                       | softcap: 0.0, must be 1.17549435E-38 to 1.0E30",
                "{\"causal\": 1}                        | attribute \"causal\" is \"1\", must be \"TOP_LEFT\"",
                "{\"causal\": null}                     | attribute \"causal\" is \"null\", must be \"TOP_LEFT\"",
                "{\"causal\": \"top_left\"}             | must be one of [TOP_LEFT, BOTTOM_RIGHT]",
                "{\"window\": 3}                        | attribute \"window\" is \"3\", must be [left, right]",
                "{\"window\": [1, 2, 3]}                | must be [left, right]",
                "{\"window\": [1, 2.5]}                 | must be a whole number or an array of such",
                "{\"window\": [-2, 0]}                  | window: left -2, right 0, each must be -1",
                "{\"causal\": true, \"offsets\": []}    | offsets: none given",
                "{\"causal\": true, \"offsets\": 3000000000} | attribute \"offsets\" is \"3000000000\", must be a whole",
                "{\"causal\": true, \"offsets\": null}  | attribute \"offsets\" is \"null\", must be a whole",
                "{\"offsets\": 3}                       | attribute \"offsets\" has no effect",
                "{\"alignment\": \"TOP_LEFT\"}          | attribute \"alignment\" has no effect",
                "{\"causal\": \"TOP_LEFT\", \"offsets\": 1} | only one of alignment, offsets",
                "{\"causal\": true, \"offsets\": 1, \"alignment\": \"TOP_LEFT\"} | only one of alignment, offsets",
                "{\"keyLengths\": 1.5}                  | attribute \"keyLengths\" is \"1.5\", must be a whole number",
                "{\"keyLengths\": [-1]}                 | keyLengths: -1, must be 0 or more",
                "{\"cumulativeQueryLengths\": [0, 3]}   | only one of cumulativeQueryLengths and cumulativeKeyLengths",
                "{\"cumulativeKeyLengths\": [0, 3]}     | only one of cumulativeQueryLengths and cumulativeKeyLengths",
                "{\"cumulativeQueryLengths\": [0, 3], \"cumulativeKeyLengths\": 5} | cumulativeLengths: keys [5], must",
                "{\"alibiSlopes\": \"steep\"}           | attribute \"alibiSlopes\" is \"steep\", must be a number or",
                "{\"alibiSlopes\": \"-inf\"}            | alibiSlopes: -Infinity, must be finite",
                "{\"sinks\": [null]}                    | attribute \"sinks\" is \"[null]\", must be a number or an array",
                "[]                                     | must be one JSON object",
                "{} {}                                  | must be one JSON object",
                "{                                      | must be one JSON object",
                "null                                   | must be one JSON object",
                "{\"scale\": 1, \"scale\": 2}           | must be one JSON object",
            })
    void anythingElseIsRefusedByName(String json, String message) {
        assertThatThrownBy(() -> AttentionAttributes.parse(json, "file"))
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageStartingWith("file: ")
                .hasMessageContaining(message);
    }

    @Test
    void aDeepAttributeIsRefused() {
        String deep = "{\"scale\": " + "[".repeat(100_000) + "]".repeat(100_000) + "}";
        assertThatThrownBy(() -> AttentionAttributes.parse(deep, "file"))
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageContaining("must be one JSON object");
    }

    @Test
    void maskAndBiasAreTheTensorsOfTheFile() throws IOException {
        Attention attention = Attention.builder()
                .mask(Tensor.of(new boolean[] {true, true, false, true, true}, 5))
                .bias(Tensor.random(9, 3, 5))
                .build();
        CaseFile made = CaseFiles.of(folder, CaseFiles.tensors(attention), "{\"window\": [1, 1]}");
        AttentionCase understood = AttentionCase.of(made);
        assertThat(understood.name()).isEqualTo("made");
        assertThat(understood.attention().mask()).containsSame(made.tensor("input.mask"));
        assertThat(understood.attention().bias()).containsSame(made.tensor("input.bias"));
        assertThat(understood.attention().windowLeft()).isEqualTo(1);
        assertThat(understood.attention().wantsWeights()).isTrue();
        assertThat(understood.attention().wantsLogSumExp()).isTrue();
        assertThat(understood.expected()).containsOnlyKeys("output.output", "output.weights", "output.log_sum_exp");
    }

    @Test
    void whatIsMissingUnknownOrOfTheWrongTypeIsRefused() throws IOException {
        refused("input.query", null, "has no tensor \"input.query\"; it holds ");
        refused("output.output", null, "has no tensor \"output.output\"");
        refused("output.scores", Tensor.random(1, 1), "tensor \"output.scores\" is not known to the op \"attention\"");
        refused("output.key_gradient", Tensor.random(1, 1, 2, 5, 4), "has no tensor \"input.output_gradient\"");
        refused("input.mask", Tensor.random(1, 3, 5), "mask: type FLOAT32, must be BOOL");
        refused("input.bias", Tensor.zeros(DType.INT32, 3, 5), "bias: type INT32, must be a float type");
        refused("input.mask", Tensor.zeros(DType.BOOL, 4, 5), "mask: shape [4, 5]");
    }

    private void refused(String name, Tensor tensor, String message) throws IOException {
        Map<String, Tensor> tensors = CaseFiles.tensors(Attention.DEFAULT);
        if (tensor == null) {
            tensors.remove(name);
        } else {
            tensors.put(name, tensor);
        }
        CaseFile made = CaseFiles.of(folder, tensors, "{}");
        assertThatThrownBy(() -> AttentionCase.of(made))
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageStartingWith(made.fileName() + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void aFileThatSaysNoOpOrNameIsNoCase() {
        Map<String, Tensor> tensors = CaseFiles.tensors(Attention.DEFAULT);
        assertThatThrownBy(() -> CaseFiles.of(folder, tensors, Map.of("name", "x")))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("__metadata__ has no \"op\"");
        assertThatThrownBy(() -> CaseFiles.of(folder, tensors, Map.of("op", "attention", "name", " ")))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("__metadata__ has no \"name\"");
    }

    @Test
    void anotherOpIsNoAttentionCase() throws IOException {
        CaseFile other =
                CaseFiles.of(folder, CaseFiles.tensors(Attention.DEFAULT), Map.of("op", "onnx.Attention", "name", "x"));
        assertThatThrownBy(() -> AttentionCase.of(other))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("op is \"onnx.Attention\", must be \"attention\"");
    }

    @Test
    void theBuiltInCaseIsTwoRealSentences() throws IOException {
        CaseFile sentences = CaseFile.sentences();
        AttentionCase understood = AttentionCase.of(sentences);
        assertThat(understood.query().shape()).containsExactly(2, 12, 22, 32);
        assertThat(understood.attention().alignment()).isEqualTo(Alignment.TOP_LEFT);
        assertThat(sentences.metadata("tokens", "")).contains("\"train\"").contains("\"calendar\"");
    }
}
