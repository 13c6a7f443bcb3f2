package dev.attention4j.onnx;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.spi.TensorChecks;

/** Collects the attributes of an {@link OnnxGroupQueryAttention}, each with the operator's default until it is set. */
public final class OnnxGroupQueryAttentionBuilder {
    final int numHeads;
    final int kvNumHeads;
    double scale;
    double softcap;
    int localWindowSize = -1;
    boolean rotary;
    boolean rotaryInterleaved;
    boolean smoothSoftmax;
    boolean shareBuffer;

    OnnxGroupQueryAttentionBuilder(int numHeads, int kvNumHeads) {
        this.numHeads = TensorChecks.atLeast("numHeads", numHeads, 1);
        this.kvNumHeads = TensorChecks.atLeast("kvNumHeads", kvNumHeads, 1);
        if (numHeads % kvNumHeads != 0) {
            throw new IllegalArgumentException(
                    "numHeads: " + numHeads + ", must be a multiple of kvNumHeads " + kvNumHeads);
        }
    }

    private OnnxGroupQueryAttentionBuilder(OnnxGroupQueryAttentionBuilder other) {
        numHeads = other.numHeads;
        kvNumHeads = other.kvNumHeads;
        scale = other.scale;
        softcap = other.softcap;
        localWindowSize = other.localWindowSize;
        rotary = other.rotary;
        rotaryInterleaved = other.rotaryInterleaved;
        smoothSoftmax = other.smoothSoftmax;
        shareBuffer = other.shareBuffer;
    }

    /** Begins an operation with what the operator defines as the library does. */
    AttentionBuilder scoring() {
        AttentionBuilder builder = Attention.builder();
        if (localWindowSize > 0) {
            builder.window(localWindowSize - 1, 0);
        }
        if (scale != 0) {
            builder.scale(scale);
        }
        if (softcap != 0) {
            builder.softcap(softcap);
        }
        return builder;
    }

    /**
     * {@code scale}: the factor on query · key.
     *
     * @param scale 0, the default, for 1/√headDim
     * @throws IllegalArgumentException as {@link AttentionBuilder#scale}
     */
    public OnnxGroupQueryAttentionBuilder scale(double scale) {
        Attention.builder().scale(scale);
        this.scale = scale;
        return this;
    }

    /**
     * {@code softcap}: bounds the scores to ±cap by {@code cap · tanh(score / cap)}, before bias and masks.
     *
     * @param cap 0 for none, the default
     * @throws IllegalArgumentException unless 0 or as {@link AttentionBuilder#softcap} takes it
     */
    public OnnxGroupQueryAttentionBuilder softcap(double cap) {
        if (cap != 0) {
            Attention.builder().softcap(cap);
        }
        this.softcap = cap;
        return this;
    }

    /**
     * {@code local_window_size}: how many keys a query attends to, the last of which is its own, as ONNX Runtime has it after
     * version 1.23; before, its kernels attended to one more.
     *
     * @param keys −1 for all, the default
     * @throws IllegalArgumentException if 0 or below −1
     */
    public OnnxGroupQueryAttentionBuilder localWindowSize(int keys) {
        if (keys == 0 || keys < -1) {
            throw new IllegalArgumentException("localWindowSize: " + keys + ", must be -1 (all) or positive");
        }
        this.localWindowSize = keys;
        return this;
    }

    /**
     * {@code do_rotary}: turns queries and new keys by their positions.
     *
     * @param turns false by default
     */
    public OnnxGroupQueryAttentionBuilder doRotary(boolean turns) {
        this.rotary = turns;
        return this;
    }

    /**
     * {@code rotary_interleaved}: pairs are neighbours, not half of the turned elements apart.
     *
     * @param neighbours false by default
     */
    public OnnxGroupQueryAttentionBuilder rotaryInterleaved(boolean neighbours) {
        this.rotaryInterleaved = neighbours;
        return this;
    }

    /**
     * {@code smooth_softmax}: adds a logit of 0 to each softmax's denominator; {@code head_sink}, if given, takes its place.
     *
     * @param smooth false by default
     */
    public OnnxGroupQueryAttentionBuilder smoothSoftmax(boolean smooth) {
        this.smoothSoftmax = smooth;
        return this;
    }

    /**
     * Writes new keys and values into the pasts, which are then the presents, as programs that decode bind them: row-major
     * tensors of the total length or more where the engine computes. If not, the pasts are copied.
     *
     * @param shared false by default
     */
    public OnnxGroupQueryAttentionBuilder pastPresentShareBuffer(boolean shared) {
        this.shareBuffer = shared;
        return this;
    }

    /** {@return the node as set so far, immutable} */
    public OnnxGroupQueryAttention build() {
        return new OnnxGroupQueryAttention(new OnnxGroupQueryAttentionBuilder(this));
    }
}
