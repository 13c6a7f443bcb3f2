package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.QkMatmulOutput;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The op {@code onnx.Attention}: a run of {@link OnnxAttention}. */
final class OnnxAttentionOperation implements Operation {
    @Override
    public String op() {
        return OnnxAttentionCase.OP;
    }

    /**
     * Two runs where the case has weights, as for {@link AttentionOperation}: the plan that plain runs are given may be
     * one that cannot return them.
     */
    @Override
    public List<Check> checks(ConformanceCase conformanceCase) throws FileFormatException {
        OnnxAttentionCase onnx = OnnxAttentionCase.of(conformanceCase);
        OnnxAttention node = onnx.node();
        if (onnx.scores().isEmpty()) {
            return List.of(check(onnx, node, onnx.expected()));
        }
        OnnxAttention withScores =
                node.toBuilder().qkMatmulOutput(onnx.scores().get()).build();
        Map<String, Tensor> plain = new LinkedHashMap<>(onnx.expected());
        plain.remove(OnnxAttentionCase.QK_MATMUL_OUTPUT);
        if (onnx.scores().get() != QkMatmulOutput.WEIGHTS || plain.isEmpty()) {
            return List.of(check(onnx, withScores, onnx.expected()));
        }
        return List.of(check(onnx, node, plain), check(onnx, withScores, onnx.expected()));
    }

    private static Check check(OnnxAttentionCase onnx, OnnxAttention node, Map<String, Tensor> expected) {
        Map<String, Expected> outputs = new LinkedHashMap<>();
        // The standard's outputs come in the types of their inputs, and so are the numbers wanted.
        expected.forEach(
                (name, want) -> outputs.put(name, new Expected(want, want.dtype(), Tolerance.of(want.dtype()))));
        // Only a run for the weights can be beyond a plan.
        String what =
                onnx.scores().isPresent() && expected.size() == onnx.expected().size()
                        ? OnnxAttentionCase.QK_MATMUL_OUTPUT
                        : String.join(", ", expected.keySet());
        return new Check(what, outputs, engine -> run(engine, onnx, node));
    }

    private static Computed run(AttentionEngine engine, OnnxAttentionCase onnx, OnnxAttention node) {
        OnnxAttentionResult result = node.run(engine, onnx.inputs());
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put(OnnxAttentionCase.OUTPUT, result.output());
        outputs.put(OnnxAttentionCase.PRESENT_KEY, result.presentKey());
        outputs.put(OnnxAttentionCase.PRESENT_VALUE, result.presentValue());
        result.qkMatmulOutput().ifPresent(scores -> outputs.put(OnnxAttentionCase.QK_MATMUL_OUTPUT, scores));
        return new Computed(result.plan(), outputs, result::close);
    }
}
