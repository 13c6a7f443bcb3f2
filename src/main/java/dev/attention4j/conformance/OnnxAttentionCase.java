package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Operation.Call;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionBuilder;
import dev.attention4j.onnx.OnnxAttentionInputs;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.QkMatmulOutput;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A case of the op {@code onnx.Attention}, understood: a node of the ONNX standard's operator, what goes in and what
 * must come out.
 *
 * @param node the attributes, but for the scores
 * @param scores which scores the case has, if any
 * @param expected by the operator's own names of its outputs, in its order
 */
record OnnxAttentionCase(
        String name,
        OnnxAttention node,
        Optional<QkMatmulOutput> scores,
        OnnxAttentionInputs inputs,
        Map<String, Tensor> expected) {
    static final String OP = "onnx.Attention";
    static final String OUTPUT = "Y";
    static final String PRESENT_KEY = "present_key";
    static final String PRESENT_VALUE = "present_value";
    static final String QK_MATMUL_OUTPUT = "qk_matmul_output";

    private static final int FIRST_OPSET = 23;
    private static final int LAST_OPSET = 25;
    private static final List<String> INPUTS =
            List.of("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen");
    private static final List<String> OUTPUTS = List.of(OUTPUT, PRESENT_KEY, PRESENT_VALUE, QK_MATMUL_OUTPUT);
    private static final List<String> ATTRIBUTES = List.of(
            "is_causal",
            "kv_num_heads",
            "left_window_size",
            "q_num_heads",
            "qk_matmul_output_mode",
            "right_window_size",
            "scale",
            "softcap",
            "softmax_precision");

    /**
     * Understands a case.
     *
     * @throws FileFormatException if the opset is another, or something is missing, unknown or contradictory; names it
     */
    static OnnxAttentionCase of(CaseFile source) throws FileFormatException {
        OnnxNode read = OnnxNode.read(source, FIRST_OPSET, LAST_OPSET, INPUTS, 3, OUTPUTS, ATTRIBUTES);
        Map<String, Tensor> inputs = read.inputs();
        Map<String, Tensor> expected = read.expected();
        JsonAttributes attributes = read.attributes();
        try {
            OnnxAttentionBuilder node = OnnxAttention.builder();
            set(node, attributes);
            QkMatmulOutput scores = QkMatmulOutput.of(
                    attributes.has("qk_matmul_output_mode") ? attributes.wholeNumber("qk_matmul_output_mode") : 0);
            return new OnnxAttentionCase(
                    source.name(),
                    node.build(),
                    Optional.of(scores).filter(step -> expected.containsKey(QK_MATMUL_OUTPUT)),
                    new OnnxAttentionInputs(
                            inputs.get("Q"),
                            inputs.get("K"),
                            inputs.get("V"),
                            Optional.ofNullable(inputs.get("attn_mask")),
                            Optional.ofNullable(inputs.get("past_key")),
                            Optional.ofNullable(inputs.get("past_value")),
                            Optional.ofNullable(inputs.get("nonpad_kv_seqlen"))),
                    expected);
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(source.fileName(), "attributes: " + e.getMessage(), e);
        }
    }

    private static void set(OnnxAttentionBuilder node, JsonAttributes attributes) throws FileFormatException {
        if (attributes.has("is_causal")) {
            int causal = attributes.wholeNumber("is_causal");
            if (causal != 0 && causal != 1) {
                throw attributes.refused("is_causal", "0 or 1");
            }
            node.isCausal(causal == 1);
        }
        attributes.wholeNumber("q_num_heads", node::qNumHeads);
        attributes.wholeNumber("kv_num_heads", node::kvNumHeads);
        attributes.wholeNumber("left_window_size", node::leftWindowSize);
        attributes.wholeNumber("right_window_size", node::rightWindowSize);
        attributes.number("scale", node::scale);
        attributes.number("softcap", node::softcap);
        if (attributes.has("softmax_precision")) {
            node.softmaxPrecision(precision(attributes));
        }
    }

    /** By the standard's numbers of data types. */
    private static DType precision(JsonAttributes attributes) throws FileFormatException {
        return switch (attributes.wholeNumber("softmax_precision")) {
            case 1 -> DType.FLOAT32;
            case 10 -> DType.FLOAT16;
            case 11 -> DType.FLOAT64;
            case 16 -> DType.BFLOAT16;
            default ->
                throw attributes.refused("softmax_precision", "1 (float), 10 (float16), 11 (double) or 16 (bfloat16)");
        };
    }

    /**
     * Two runs where the case has weights, as for {@link AttentionCase#calls}: the plan that plain runs are given may be
     * one that cannot return them.
     */
    static List<Call> calls(CaseFile file) throws FileFormatException {
        OnnxAttentionCase onnx = of(file);
        if (onnx.scores.isEmpty()) {
            return List.of(onnx.checked(onnx.node, onnx.expected));
        }
        OnnxAttention withScores =
                onnx.node.toBuilder().qkMatmulOutput(onnx.scores.get()).build();
        Map<String, Tensor> plain = new LinkedHashMap<>(onnx.expected);
        plain.remove(QK_MATMUL_OUTPUT);
        if (onnx.scores.get() != QkMatmulOutput.WEIGHTS || plain.isEmpty()) {
            return List.of(onnx.checked(withScores, onnx.expected));
        }
        return List.of(onnx.checked(onnx.node, plain), onnx.checked(withScores, onnx.expected));
    }

    private Call checked(OnnxAttention called, Map<String, Tensor> wanted) {
        Map<String, Expected> outputs = new LinkedHashMap<>();
        // The standard's outputs come in the types of their inputs, and so are the numbers wanted.
        wanted.forEach(
                (output, want) -> outputs.put(output, new Expected(want, want.dtype(), Tolerance.of(want.dtype()))));
        // Only a run for the weights can be beyond a plan.
        String what = scores.isPresent() && wanted.size() == expected.size()
                ? QK_MATMUL_OUTPUT
                : String.join(", ", wanted.keySet());
        return new Call(what, outputs, engine -> run(engine, called));
    }

    private Computed run(AttentionEngine engine, OnnxAttention called) {
        OnnxAttentionResult result = called.run(engine, inputs);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put(OUTPUT, result.output());
        outputs.put(PRESENT_KEY, result.presentKey());
        outputs.put(PRESENT_VALUE, result.presentValue());
        result.qkMatmulOutput().ifPresent(found -> outputs.put(QK_MATMUL_OUTPUT, found));
        return new Computed(result.plan(), outputs, result::close);
    }
}
