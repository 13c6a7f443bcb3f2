package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionInputs;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.QkMatmulOutput;
import dev.attention4j.reference.ReferenceEngine;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.SharedCases;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class OnnxAttentionCaseTest {
    @TempDir
    Path folder;

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    /** A case with a cache, a mask and weights, whose numbers are the oracle's. */
    @BeforeEach
    void made() {
        Tensor query = Tensor.random(1, 2, 3, 8);
        Tensor key = Tensor.random(2, 2, 2, 4);
        Tensor past = Tensor.random(3, 2, 1, 3, 4);
        Tensor mask = Tensor.of(new boolean[] {true, false, true, true, true}, 5);
        tensors.put("input.Q", query);
        tensors.put("input.K", key);
        tensors.put("input.V", key);
        tensors.put("input.attn_mask", mask);
        tensors.put("input.past_key", past);
        tensors.put("input.past_value", past);
        OnnxAttention node = OnnxAttention.builder()
                .isCausal(true)
                .qNumHeads(2)
                .kvNumHeads(1)
                .qkMatmulOutput(QkMatmulOutput.WEIGHTS)
                .build();
        try (ReferenceEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            OnnxAttentionResult result = node.run(
                    oracle,
                    OnnxAttentionInputs.of(query, key, key).withAttnMask(mask).withPast(past, past));
            tensors.put("output.Y", result.output());
            tensors.put("output.present_key", result.presentKey());
            tensors.put("output.qk_matmul_output", result.qkMatmulOutput().orElseThrow());
        }
        metadata.put("op", "onnx.Attention");
        metadata.put("name", "made");
        metadata.put("opset", "24");
        metadata.put("inputs", "[\"Q\", \"K\", \"V\", \"attn_mask\", \"past_key\", \"past_value\"]");
        metadata.put("outputs", "[\"Y\", \"present_key\", \"\", \"qk_matmul_output\"]");
        metadata.put(
                "attributes",
                "{\"is_causal\": 1, \"q_num_heads\": 2, \"kv_num_heads\": 1, \"qk_matmul_output_mode\": 3}");
    }

    private CaseFile written() throws IOException {
        return CaseFiles.of(folder, tensors, metadata);
    }

    static List<Object[]> ways() {
        List<Object[]> ways = new ArrayList<>();
        for (EngineInfo info : TestEngines.underTest()) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                engine.plans().forEach(plan -> ways.add(new Object[] {info.id(), plan}));
            }
        }
        ways.add(new Object[] {"oracle", ReferenceEngine.PLAN});
        return ways;
    }

    private static Found run(CaseFile file, String engine, String plan) {
        try (AttentionEngine open =
                AttentionEngine.open(engine, TestEngines.options().withPlan(plan))) {
            return Found.of(file, open, plan);
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void theStandardsCasesPass(String engine, String plan) throws IOException {
        List<Path> shared = SharedCases.find();
        int checked = 0;
        for (Path path : shared) {
            CaseFile standards = CaseFile.read(path);
            if (standards.op().equals(OnnxAttentionCase.OP)) {
                Found outcome = run(standards, engine, plan);
                assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
                assertThat(outcome.plan()).isEqualTo(plan);
                checked++;
            }
        }
        assertThat(checked > 0)
                .as("cases of " + OnnxAttentionCase.OP + " there")
                .isEqualTo(!shared.isEmpty());
    }

    @ParameterizedTest
    @MethodSource("ways")
    void aCaseOfOnesOwnPasses(String engine, String plan) throws IOException {
        Found right = run(written(), engine, plan);
        assertThat(right.status()).as(right.toString()).isEqualTo(Status.PASSED);
        assertThat(right.plan()).isEqualTo(plan);
        // A plan without weights leaves them unchecked, and says so.
        assertThat(right.detail()).matches("|qk_matmul_output not checked: plan: \"" + plan + "\" cannot do .*");
    }

    @Test
    void everyOutputIsCompared() throws IOException {
        for (String name : List.of("output.Y", "output.present_key", "output.qk_matmul_output")) {
            Tensor want = tensors.get(name);
            Tensor wrong = Tensor.of(want.toFloatArray(), want.shape());
            wrong.floats().put(5, wrong.floats().get(5) + 0.01f);
            tensors.put(name, wrong);
            Found outcome = run(written(), "oracle", ReferenceEngine.PLAN);
            assertThat(outcome.status()).as(name).isEqualTo(Status.FAILED);
            assertThat(outcome.detail()).startsWith(name.substring("output.".length()) + ": 1 of ");
            tensors.put(name, want);
        }
    }

    @Test
    void scoresOfOtherModesComeWithTheRest() throws IOException {
        for (String attribute : List.of("", ", \"qk_matmul_output_mode\": 1", ", \"qk_matmul_output_mode\": 2")) {
            metadata.put("attributes", "{\"is_causal\": 1, \"q_num_heads\": 2, \"kv_num_heads\": 1" + attribute + "}");
            CaseFile made = written();
            assertThat(OnnxAttentionCase.calls(made)).hasSize(1);
            Found outcome = run(made, "oracle", ReferenceEngine.PLAN);
            assertThat(outcome.status()).as("these are the weights").isEqualTo(Status.FAILED);
            assertThat(outcome.detail()).startsWith("qk_matmul_output: ").doesNotContain("Y: ");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "opset      | 26                          | opset is \"26\", must be 23 to 25",
                "opset      | 22                          | opset is \"22\", must be 23 to 25",
                "opset      | new                         | opset is \"new\", must be 23 to 25",
                "inputs     | [\"Q\", \"K\"]              | \"inputs\" lacks V, must have [Q, K, V]",
                "inputs     | [\"Q\", 1]                  | must be one JSON array of texts",
                "inputs     | {}                          | must be one JSON array of texts",
                "inputs     | [                           | must be one JSON array of texts",
                "inputs     | [\"Q\", \"K\", \"V\", \"mask\"] | has no tensor \"input.mask\"; it holds",
                "inputs     | [\"Q\", \"K\", \"V\"]       | must hold just what \"inputs\" and \"outputs\" name",
                "inputs     | [\"Q\",\"K\",\"V\",\"\",\"\",\"\",\"\",\"x\"] | has 8 names, must have at most those of [Q, K,",
                "outputs    | [\"\", \"\"]                | and an output at least",
                "attributes | {\"causal\": true}          | attribute \"causal\" is not known, must be one of [is_causal,",
                "attributes | {\"is_causal\": 2}          | attribute \"is_causal\" is \"2\", must be 0 or 1",
                "attributes | {\"is_causal\": true}       | attribute \"is_causal\" is \"true\", must be a whole number",
                "attributes | {\"q_num_heads\": 0}        | attributes: qNumHeads: 0, must be 1 or more",
                "attributes | {\"qk_matmul_output_mode\": 4} | qkMatmulOutputMode: 4, must be 0 to 3",
                "attributes | {\"softmax_precision\": 7}  | attribute \"softmax_precision\" is \"7\", must be 1 (float),",
                "attributes | {\"left_window_size\": -2}  | leftWindowSize: -2, must be -1 (unbounded) or more",
                "attributes | {\"scale\": -1}             | scale: -1.0, must be a finite float, 0 or more",
            })
    void anythingElseIsRefusedByName(String key, String text, String message) throws IOException {
        metadata.put(key, text);
        CaseFile made = written();
        assertThatThrownBy(() -> OnnxAttentionCase.of(made))
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageStartingWith(made.fileName() + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void inputsMustBeNamed() throws IOException {
        metadata.remove("inputs");
        CaseFile made = written();
        assertThatThrownBy(() -> OnnxAttentionCase.of(made))
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageContaining("__metadata__ has no \"inputs\", must be one JSON array of texts");
    }
}
