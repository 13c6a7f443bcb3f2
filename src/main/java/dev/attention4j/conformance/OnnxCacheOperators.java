package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Operation.Call;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.onnx.OnnxRotaryEmbedding;
import dev.attention4j.onnx.OnnxTensorScatter;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Cases of the ONNX operators around a cache: {@code onnx.RotaryEmbedding} and {@code onnx.TensorScatter}. */
final class OnnxCacheOperators {
    static final String ROTARY_EMBEDDING = "onnx.RotaryEmbedding";
    static final String TENSOR_SCATTER = "onnx.TensorScatter";

    private OnnxCacheOperators() {}

    static List<Call> rotaryEmbedding(CaseFile file) throws FileFormatException {
        OnnxNode node = OnnxNode.read(
                file,
                23,
                23,
                List.of("X", "cos_cache", "sin_cache", "position_ids"),
                3,
                List.of("Y"),
                List.of("interleaved", "num_heads", "rotary_embedding_dim"));
        OnnxRotaryEmbedding rotary = new OnnxRotaryEmbedding(
                node.flag("interleaved"), node.number("num_heads", 0), node.number("rotary_embedding_dim", 0));
        Map<String, Tensor> given = node.inputs();
        Tensor positions = given.get("position_ids");
        return called(node, engine -> {
            Tensor input = given.get("X");
            Tensor cosines = given.get("cos_cache");
            Tensor sines = given.get("sin_cache");
            return positions == null
                    ? rotary.run(engine, input, cosines, sines)
                    : rotary.run(engine, input, cosines, sines, positions);
        });
    }

    static List<Call> tensorScatter(CaseFile file) throws FileFormatException {
        OnnxNode node = OnnxNode.read(
                file,
                24,
                24,
                List.of("past_cache", "update", "write_indices"),
                2,
                List.of("present_cache"),
                List.of("axis", "mode"));
        Object mode = node.attributes().getOrDefault("mode", "linear");
        if (!"linear".equals(mode) && !"circular".equals(mode)) {
            throw node.attributes().refused("mode", "\"linear\" or \"circular\"");
        }
        OnnxTensorScatter scatter = new OnnxTensorScatter(node.number("axis", -2), "circular".equals(mode));
        Map<String, Tensor> given = node.inputs();
        Tensor indices = given.get("write_indices");
        return called(node, engine -> {
            Tensor past = given.get("past_cache");
            Tensor update = given.get("update");
            return indices == null ? scatter.run(engine, past, update) : scatter.run(engine, past, update, indices);
        });
    }

    /** A call with one output, which no plan computes. */
    private static List<Call> called(OnnxNode node, Function<AttentionEngine, Tensor> run) {
        String output = node.expected().keySet().iterator().next();
        Tensor want = node.expected().get(output);
        Expected expected = new Expected(want, want.dtype(), Tolerance.of(want.dtype()));
        return List.of(new Call(output, Map.of(output, expected), engine -> {
            Tensor got = run.apply(engine);
            return new Computed("", Map.of(output, got), got::close);
        }));
    }
}
