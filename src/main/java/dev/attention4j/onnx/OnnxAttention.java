package dev.attention4j.onnx;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;

/**
 * A node of the ONNX standard's operator Attention, opsets 23 to 25 (<a
 * href="https://onnx.ai/onnx/operators/onnx__Attention.html">the operator</a>): its attributes, and a way to run it.
 * Immutable, made by {@link #builder()}.
 *
 * <pre>{@code
 * OnnxAttention node = OnnxAttention.builder().isCausal(true).qNumHeads(8).kvNumHeads(2).build();
 * try (OnnxAttentionResult result = node.run(engine, OnnxAttentionInputs.of(query, key, value))) {
 *     Tensor output = result.output();
 * }
 * }</pre>
 *
 * <p>Scores are scaled, changed and masked in the standard's order, which is that of {@link Attention}. Causal and windows
 * go by positions: without a cache query i has position i; with a past, i + the past's length; with {@code
 * nonpad_kv_seqlen}, the last query has the position of the last of these keys. A row with no key to attend to gives
 * zeros, as the standard says since opset 24.
 *
 * <p>Value may have another type than query and key; output and scores have the query's. Engines other than the oracle compute in
 * float32 whatever {@code softmax_precision} says. They scale the product of query and key, where the standard scales both
 * factors: a product above 3.4·10³⁸ is infinite however small the scale.
 */
public final class OnnxAttention {
    /** Never changed. */
    final OnnxAttentionBuilder.Attributes attributes;

    OnnxAttention(OnnxAttentionBuilder.Attributes attributes) {
        this.attributes = attributes;
    }

    /** {@return a builder with the standard's defaults} */
    public static OnnxAttentionBuilder builder() {
        return new OnnxAttentionBuilder(new OnnxAttentionBuilder.Attributes());
    }

    /** {@return a builder that starts from this node} */
    public OnnxAttentionBuilder toBuilder() {
        return new OnnxAttentionBuilder(attributes.copy());
    }

    /**
     * Runs the node. No engine keeps the scores of modes 0 to 2, so they are computed separately by plain Java on all cores;
     * mode 3 is the weights of the call itself.
     *
     * @param engine where to compute
     * @param inputs on the host, or where the engine takes them from
     * @return output, presents and, if asked for, scores
     * @throws IllegalArgumentException if attributes and inputs do not fit each other; says which argument and what it
     *     must be
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public OnnxAttentionResult run(AttentionEngine engine, OnnxAttentionInputs inputs) {
        Objects.requireNonNull(engine, "engine: null, must be one that is open");
        Tensor query = toHeads("query", inputs.query(), "qNumHeads", attributes.qNumHeads);
        Tensor key = toHeads("key", inputs.key(), "kvNumHeads", attributes.kvNumHeads);
        Tensor value = toHeads("value", inputs.value(), "kvNumHeads", attributes.kvNumHeads);
        TensorChecks.sameRank("key", inputs.key(), "query", inputs.query());
        TensorChecks.sameRank("value", inputs.value(), "query", inputs.query());
        TensorChecks.storage("query", query);
        TensorChecks.storage("value", value);
        TensorChecks.sameType("key", key, "query", query);
        Present present = Present.of(inputs, key, value);

        Tensor computedKey = present.key();
        Tensor computedValue = present.value();
        // Checks the shapes before options are derived from them.
        AttentionProblem shapes = AttentionProblem.of(query, computedKey, computedValue, Attention.DEFAULT);
        Attention attention = attention(inputs, present.pastLength(), shapes);
        AttentionProblem problem = AttentionProblem.of(query, computedKey, computedValue, attention);

        Tensor scores = null;
        if (attributes.qkMatmulOutput != null && attributes.qkMatmulOutput != QkMatmulOutput.WEIGHTS) {
            scores = Scores.compute(problem, query, computedKey, attributes.qkMatmulOutput);
        }
        AttentionResult result = engine.attend(query, computedKey, computedValue, attention);
        try {
            if (attention.wantsWeights()) {
                scores = result.weights();
            }
            Tensor output = stored(result.output(), query.dtype());
            Optional<Tensor> storedScores = Optional.ofNullable(scores).map(tensor -> stored(tensor, query.dtype()));
            if (inputs.query().rank() == 3) {
                output = fromHeads(output);
            }
            return new OnnxAttentionResult(output, present.key(), present.value(), storedScores, result.plan());
        } catch (RuntimeException | Error e) {
            // The caller does not have it yet.
            result.close();
            throw e;
        }
    }

    /** Returns a view [batch, heads, length, width] of a tensor; the attribute's heads are 0 if it is not given. */
    static Tensor toHeads(String name, Tensor tensor, String attribute, int heads) {
        TensorChecks.open(name, tensor);
        if (tensor.rank() == 4) {
            if (heads != 0 && heads != tensor.size(1)) {
                throw new IllegalArgumentException(attribute + ": " + heads + ", must be the " + tensor.size(1)
                        + " heads of " + name + " " + Arrays.toString(tensor.shape()) + ", or left out");
            }
            return tensor;
        }
        if (tensor.rank() != 3) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                    + ", must be [batch, heads, length, headDim] or [batch, length, heads * headDim]");
        }
        if (heads == 0) {
            throw new IllegalArgumentException(attribute + ": not given, must be where " + name + " has 3 axes: "
                    + Arrays.toString(tensor.shape()));
        }
        long hidden = tensor.size(2);
        if (hidden % heads != 0) {
            throw new IllegalArgumentException(
                    name + ": last axis " + hidden + ", must be a multiple of " + attribute + " " + heads);
        }
        Tensor whole = tensor.isContiguous() ? tensor : tensor.contiguous();
        return whole.reshape(tensor.size(0), tensor.size(1), heads, hidden / heads)
                .permute(0, 2, 1, 3);
    }

    /** Returns [batch, length, heads · width] of [batch, heads, length, width] on the host, closed if that takes a copy. */
    static Tensor fromHeads(Tensor tensor) {
        Tensor joined = tensor.permute(0, 2, 1, 3)
                .contiguous()
                .reshape(tensor.size(0), tensor.size(2), tensor.size(1) * tensor.size(3));
        if (joined.memory() != tensor.memory()) {
            tensor.close();
        }
        return joined;
    }

    /** Returns the tensor in another type; the one given is closed if that takes a copy. */
    private static Tensor stored(Tensor tensor, DType dtype) {
        Tensor stored = tensor.to(dtype);
        if (stored != tensor) {
            tensor.close();
        }
        return stored;
    }

    private Attention attention(OnnxAttentionInputs inputs, int pastLength, AttentionProblem shapes) {
        AttentionBuilder builder = attributes.scoring().weights(attributes.qkMatmulOutput == QkMatmulOutput.WEIGHTS);
        inputs.attnMask().ifPresent(mask -> AttnMask.set(builder, mask, shapes));
        if (attributes.causal) {
            builder.causal(Alignment.TOP_LEFT);
        }
        if (inputs.pastKey().isPresent()) {
            builder.alignOffsets(pastLength);
        }
        inputs.nonpadKvSeqlen().ifPresent(lengths -> builder.keyLengths(keyLengths(lengths, shapes))
                .align(Alignment.BOTTOM_RIGHT));
        return builder.build();
    }

    private static int[] keyLengths(Tensor lengths, AttentionProblem shapes) {
        return Integers.of("nonpadKvSeqlen", lengths, shapes.keyLength(), shapes.batch());
    }
}
