package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Operation.Call;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.OnnxGroupQueryAttention;
import dev.attention4j.onnx.OnnxGroupQueryAttentionBuilder;
import dev.attention4j.onnx.OnnxRotaryEmbedding;
import dev.attention4j.onnx.OnnxTensorScatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Cases of the ONNX operators around a cache: {@code onnx.RotaryEmbedding}, {@code onnx.TensorScatter}, and ONNX Runtime's
 * {@code com.microsoft.GroupQueryAttention}.
 */
final class OnnxCacheOperators {
    static final String ROTARY_EMBEDDING = "onnx.RotaryEmbedding";
    static final String TENSOR_SCATTER = "onnx.TensorScatter";

    static final String GROUP_QUERY_ATTENTION = "com.microsoft.GroupQueryAttention";

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

    static List<Call> groupQueryAttention(CaseFile file) throws FileFormatException {
        OnnxNode node = OnnxNode.read(
                file,
                1,
                1,
                OnnxGroupQueryAttention.INPUTS,
                1,
                List.of("output", "present_key", "present_value"),
                List.of(
                        "num_heads",
                        "kv_num_heads",
                        "scale",
                        "softcap",
                        "local_window_size",
                        "do_rotary",
                        "rotary_interleaved",
                        "smooth_softmax"));
        JsonAttributes attributes = node.attributes();
        OnnxGroupQueryAttentionBuilder builder;
        try {
            builder = OnnxGroupQueryAttention.builder(
                    attributes.wholeNumber("num_heads"), attributes.wholeNumber("kv_num_heads"));
            attributes.number("scale", builder::scale);
            attributes.number("softcap", builder::softcap);
            attributes.wholeNumber("local_window_size", builder::localWindowSize);
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(file.fileName(), "attributes: " + e.getMessage(), e);
        }
        OnnxGroupQueryAttention attention = builder.doRotary(node.flag("do_rotary"))
                .rotaryInterleaved(node.flag("rotary_interleaved"))
                .smoothSoftmax(node.flag("smooth_softmax"))
                .build();
        Map<String, Expected> expected = new LinkedHashMap<>();
        node.expected()
                .forEach((name, want) ->
                        expected.put(name, new Expected(want, want.dtype(), Tolerance.of(want.dtype()))));
        return List.of(new Call(String.join(", ", expected.keySet()), expected, engine -> {
            OnnxAttentionResult result = attention.run(engine, node.inputs());
            Map<String, Tensor> outputs = Map.of(
                    "output", result.output(),
                    "present_key", result.presentKey(),
                    "present_value", result.presentValue());
            return new Computed(result.plan(), outputs, () -> outputs.values().forEach(Tensor::close));
        }));
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
