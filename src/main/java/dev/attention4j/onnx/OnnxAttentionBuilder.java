package dev.attention4j.onnx;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.spi.TensorChecks;
import java.util.Objects;
import java.util.OptionalDouble;

/** Collects the attributes of an {@link OnnxAttention}, each with the standard's default until it is set. */
public final class OnnxAttentionBuilder {
    private final Attributes attributes;

    OnnxAttentionBuilder(Attributes attributes) {
        this.attributes = attributes;
    }

    /** All attributes, for this package. */
    static final class Attributes implements Cloneable {
        boolean causal;
        int qNumHeads;
        int kvNumHeads;
        int leftWindowSize = -1;
        int rightWindowSize = -1;
        OptionalDouble scale = OptionalDouble.empty();
        OptionalDouble softcap = OptionalDouble.empty();
        QkMatmulOutput qkMatmulOutput;

        /** Begins an operation with what the standard defines as the library does. */
        AttentionBuilder scoring() {
            AttentionBuilder builder = Attention.builder().window(leftWindowSize, rightWindowSize);
            scale.ifPresent(builder::scale);
            softcap.ifPresent(builder::softcap);
            return builder;
        }

        Attributes copy() {
            try {
                return (Attributes) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /**
     * {@code is_causal}: masks the keys after each query's position.
     *
     * @param causal false by default
     */
    public OnnxAttentionBuilder isCausal(boolean causal) {
        attributes.causal = causal;
        return this;
    }

    /**
     * {@code q_num_heads}: the heads within the query's hidden axis.
     *
     * @param heads needed for inputs of 3 axes; where there are 4 it must be their number, or is left out
     * @throws IllegalArgumentException unless positive
     */
    public OnnxAttentionBuilder qNumHeads(int heads) {
        attributes.qNumHeads = TensorChecks.atLeast("qNumHeads", heads, 1);
        return this;
    }

    /**
     * {@code kv_num_heads}: the heads within the key's and value's hidden axis.
     *
     * @param heads needed for inputs of 3 axes; where there are 4 it must be their number, or is left out
     * @throws IllegalArgumentException unless positive
     */
    public OnnxAttentionBuilder kvNumHeads(int heads) {
        attributes.kvNumHeads = TensorChecks.atLeast("kvNumHeads", heads, 1);
        return this;
    }

    /**
     * {@code left_window_size} (opset 25): the number of keys before its position that a query attends to.
     *
     * @param keys −1 for all, the default
     * @throws IllegalArgumentException if below −1
     */
    public OnnxAttentionBuilder leftWindowSize(int keys) {
        attributes.leftWindowSize = window("leftWindowSize", keys);
        return this;
    }

    /**
     * {@code right_window_size} (opset 25): the number of keys after its position that a query attends to, unless causal.
     *
     * @param keys −1 for all, the default
     * @throws IllegalArgumentException if below −1
     */
    public OnnxAttentionBuilder rightWindowSize(int keys) {
        attributes.rightWindowSize = window("rightWindowSize", keys);
        return this;
    }

    /**
     * {@code scale}: the factor on query · key.
     *
     * @param scale 0 or more, because the standard multiplies query and key by its root; 1/√headDim unless set
     * @throws IllegalArgumentException if negative, NaN or infinite
     */
    public OnnxAttentionBuilder scale(double scale) {
        if (!(scale >= 0 && scale <= Float.MAX_VALUE)) {
            throw new IllegalArgumentException("scale: " + scale + ", must be a finite float, 0 or more");
        }
        attributes.scale = OptionalDouble.of(scale);
        return this;
    }

    /**
     * {@code softcap}: bounds the scores to ±cap by {@code cap · tanh(score / cap)}, before the mask.
     *
     * @param cap 0 for none, the default
     * @throws IllegalArgumentException unless 0 or as {@link AttentionBuilder#softcap} takes it
     */
    public OnnxAttentionBuilder softcap(double cap) {
        if (!(cap == 0 || (cap >= Float.MIN_NORMAL && cap <= AttentionBuilder.MAX_SOFTCAP))) {
            throw new IllegalArgumentException("softcap: " + cap + ", must be 0 (none) or " + Float.MIN_NORMAL + " to "
                    + AttentionBuilder.MAX_SOFTCAP);
        }
        attributes.softcap = cap == 0 ? OptionalDouble.empty() : OptionalDouble.of(cap);
        return this;
    }

    /**
     * {@code softmax_precision}: the least precision of the softmax. Every engine computes it in float32 or better, so the
     * 16-bit types and {@link DType#FLOAT32} change nothing. {@link DType#FLOAT64} is legal, but only the oracle has it:
     * scores and softmax of other engines are float32.
     *
     * @param precision a float type
     * @throws IllegalArgumentException if it is no float type
     */
    public OnnxAttentionBuilder softmaxPrecision(DType precision) {
        if (!Objects.requireNonNull(precision, "softmaxPrecision").isFloat()) {
            throw new IllegalArgumentException("softmaxPrecision: " + precision + ", must be a float type");
        }
        return this;
    }

    /**
     * Asks for the output {@code qk_matmul_output}, of the given {@code qk_matmul_output_mode}.
     *
     * @param mode the step after which the scores are returned
     */
    public OnnxAttentionBuilder qkMatmulOutput(QkMatmulOutput mode) {
        attributes.qkMatmulOutput = Objects.requireNonNull(mode, "mode");
        return this;
    }

    /** {@return the node as set so far, immutable} */
    public OnnxAttention build() {
        return new OnnxAttention(attributes.copy());
    }

    private static int window(String name, int keys) {
        if (keys < -1) {
            throw new IllegalArgumentException(name + ": " + keys + ", must be -1 (unbounded) or more");
        }
        return keys;
    }
}
