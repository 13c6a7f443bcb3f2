package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.AttentionLayer;
import dev.attention4j.layers.GroupQueryAttention;
import dev.attention4j.layers.LayerBuilder;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.SharedCases;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KerasOperationTest {
    private static final String MULTI_HEAD = "keras.MultiHeadAttention";
    private static final Tensor QUERY = Tensor.random(1, 2, 5, 6);
    private static final Tensor VALUE = Tensor.random(2, 2, 7, 4);

    @TempDir
    private Path folder;

    /** What Keras computed, on every device; the plans that cannot do a call say so. */
    @Test
    void everyCaseOfKerasPasses() throws IOException {
        for (var info : TestEngines.underTest()) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                for (Path path : SharedCases.find()) {
                    CaseFile shared = CaseFile.read(path);
                    if (shared.op().startsWith("keras.")) {
                        Found outcome = Found.of(shared, engine, EngineOptions.AUTO);
                        assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
                        assertThat(outcome.detail()).isEmpty();
                    }
                }
            }
        }
    }

    private static Map<String, Tensor> tensors(LayerBuilder<?> builder) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (AttentionEngine engine = AttentionEngine.open("oracle");
                AttentionLayer layer = builder.build(engine);
                LayerResult result = layer.call(AttentionInputs.builder()
                        .query(QUERY)
                        .value(VALUE)
                        .scores(true)
                        .build())) {
            tensors.put("input.query", QUERY);
            tensors.put("input.value", VALUE);
            layer.weights().tensors().forEach((name, tensor) -> tensors.put("weight." + name, tensor));
            tensors.put(
                    "output.output",
                    Tensor.of(result.output().toFloatArray(), result.output().shape()));
            tensors.put(
                    "output.scores",
                    Tensor.of(result.scores().toFloatArray(), result.scores().shape()));
        }
        return tensors;
    }

    private Found run(String op, Map<String, Tensor> tensors, String config, String call) throws IOException {
        Map<String, String> metadata = Map.of("op", op, "name", "made", "config", config, "call", call);
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            return Found.of(CaseFiles.of(folder, tensors, metadata), engine, EngineOptions.AUTO);
        }
    }

    @Test
    void everyArgumentReachesTheLayer() throws IOException {
        Map<String, Tensor> tensors = tensors(MultiHeadAttention.builder()
                .heads(2)
                .keyDim(3)
                .valueDim(5)
                .outputShape(2, 4)
                .bias(false)
                .gate(true)
                .slidingWindow(2)
                .attentionAxes(1));
        String config = "{\"num_heads\": 2, \"key_dim\": 3, \"value_dim\": 5, \"output_shape\": [2, 4],"
                + " \"use_bias\": false, \"use_gate\": true, \"sliding_window\": 2, \"attention_axes\": 1}";
        Found outcome = run(MULTI_HEAD, tensors, config, "{\"return_attention_scores\": true}");
        assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);

        Found unwindowed =
                run(MULTI_HEAD, tensors, config.replace("\"sliding_window\": 2", "\"sliding_window\": null"), "{}");
        assertThat(unwindowed.status()).isEqualTo(Status.FAILED);
        assertThat(unwindowed.detail()).startsWith("output.output: ");
        Found causal =
                run(MULTI_HEAD, tensors, config, "{\"use_causal_mask\": true, \"return_attention_scores\": true}");
        assertThat(causal.status()).isEqualTo(Status.FAILED);
        assertThat(causal.detail()).contains("output.scores: ");
    }

    @Test
    void groupedHeads() throws IOException {
        Map<String, Tensor> tensors =
                tensors(GroupQueryAttention.builder().headDim(3).queryHeads(4).keyValueHeads(2));
        String config = "{\"head_dim\": 3, \"num_query_heads\": 4, \"num_key_value_heads\": 2}";
        Found outcome = run("keras.GroupQueryAttention", tensors, config, "{\"return_attention_scores\": true}");
        assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
    }

    @Test
    void whatIsMissingUnknownOrWrongFailsByName() throws IOException {
        Map<String, Tensor> tensors =
                tensors(MultiHeadAttention.builder().heads(2).keyDim(3));
        String config = "{\"num_heads\": 2, \"key_dim\": 3}";
        failed(tensors, "{\"num_heads\": 2}", "{}", "config argument \"key_dim\" is \"null\", must be a whole number");
        failed(
                tensors,
                "{\"num_heads\": 2, \"key_dim\": 3, \"rope\": 1}",
                "{}",
                "config argument \"rope\" is not known");
        failed(tensors, config.replace("2", "0"), "{}", "heads: 0, must be 1 or more");
        failed(tensors, "[]", "{}", "config arguments are \"[]\", must be one JSON object");
        failed(tensors, config, "{\"training\": true}", "call argument \"training\" is not known");
        failed(
                tensors,
                config,
                "{\"use_causal_mask\": 1}",
                "call argument \"use_causal_mask\" is \"1\", must be true or false");
        tensors.put("input.bias", Tensor.random(1, 2));
        failed(tensors, config, "{}", "tensor \"input.bias\" is not known to the op \"keras.MultiHeadAttention\"");
        tensors.remove("input.bias");
        tensors.remove("weight.key.bias");
        failed(tensors, config, "{}", "has no \"key.bias\"");
    }

    private void failed(Map<String, Tensor> tensors, String config, String call, String words) throws IOException {
        Found outcome = run(MULTI_HEAD, tensors, config, call);
        assertThat(outcome.status()).isEqualTo(Status.FAILED);
        assertThat(outcome.detail()).contains(words);
    }
}
