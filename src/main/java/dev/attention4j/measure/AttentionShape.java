package dev.attention4j.measure;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;

/**
 * An attention, written {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}: batch, query heads, key and value heads (which divide them), query
 * and key length, width of queries and keys, width of values if it is another. {@code :causal} (aligned top-left) or {@code
 * :mask} may follow.
 */
public record AttentionShape(
        int batch,
        int queryHeads,
        int keyValueHeads,
        int queryLength,
        int keyLength,
        int headDim,
        int valueDim,
        Restriction restriction)
        implements Shape {
    /** The scores that are masked. */
    public enum Restriction {
        /** None. */
        NONE(""),
        /** Keys after the query's own position, aligned top-left as PyTorch's {@code is_causal} is. */
        CAUSAL(":causal"),
        /** A quarter of the scores of each batch row, by a boolean mask [batch, 1, queryLength, keyLength]. */
        MASK(":mask");

        private final String suffix;

        Restriction(String suffix) {
            this.suffix = suffix;
        }
    }

    /** The forms of all kinds of shapes. */
    public static final String FORM = "B.Hq.Hkv.Lq.Lk.D[.Dv] with :causal or :mask after it, such as"
            + " 4.8.8.1024.1024.64:causal, or layer:B.T.width.heads or gemm:rows.in.out";

    /** Reads one; an error names the text and the form. */
    public static AttentionShape parse(String text) {
        return parse(text, FORM);
    }

    static AttentionShape parse(String text, String form) {
        for (Restriction restriction : Restriction.values()) {
            String sizes = text.substring(0, Math.max(0, text.length() - restriction.suffix.length()));
            if (text.equals(sizes + restriction.suffix) && sizes.indexOf(':') < 0) {
                int[] n = Shape.sizes(text, sizes, "", 6, 7, form);
                AttentionShape shape =
                        new AttentionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[n.length - 1], restriction);
                shape.check(text);
                return shape;
            }
        }
        throw Shape.refused(text, ", must be " + form);
    }

    private void check(String text) {
        if (queryHeads % keyValueHeads != 0) {
            throw Shape.refused(
                    text,
                    " has " + queryHeads + " query heads, must be a multiple of the " + keyValueHeads
                            + " key/value heads");
        }
        double rows = Math.max((double) queryHeads * queryLength, (double) keyValueHeads * keyLength);
        Shape.checkBytes(text, "each tensor", Float.BYTES * batch * rows * Math.max(headDim, valueDim));
        Shape.checkBytes(text, "its mask", isMasked() ? 1.0 * batch * queryLength * keyLength : 0);
    }

    @Override
    public boolean isCausal() {
        return restriction == Restriction.CAUSAL;
    }

    @Override
    public boolean isMasked() {
        return restriction == Restriction.MASK;
    }

    /** These sizes with a storage type and an operation of the caller's. */
    public AttentionProblem problem(DType dtype, Attention attention) {
        return new AttentionProblem(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, dtype, attention);
    }

    /** The operation of this shape; {@code mask} is null unless {@link #isMasked()}. */
    public Attention attention(Tensor mask) {
        Attention plain = isCausal() ? Attention.causal(Alignment.TOP_LEFT) : Attention.DEFAULT;
        return mask == null ? plain : plain.toBuilder().mask(mask).build();
    }

    /** The problem of this shape, without the mask that it may have. */
    public AttentionProblem problem(DType dtype) {
        return problem(dtype, attention(null));
    }

    /** The same with other lengths. */
    public AttentionShape withLengths(int queries, int keys) {
        return new AttentionShape(batch, queryHeads, keyValueHeads, queries, keys, headDim, valueDim, restriction);
    }

    /** The same with other heads. */
    public AttentionShape withHeads(int heads, int ofKeyAndValue) {
        return new AttentionShape(batch, heads, ofKeyAndValue, queryLength, keyLength, headDim, valueDim, restriction);
    }

    /** The same with other widths. */
    public AttentionShape withWidths(int ofHeads, int ofValues) {
        return new AttentionShape(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, ofHeads, ofValues, restriction);
    }

    /** The same with another batch size. */
    public AttentionShape withBatch(int rows) {
        return new AttentionShape(
                rows, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, restriction);
    }

    @Override
    public double flops() {
        return problem(DType.FLOAT32).flops();
    }

    @Override
    public double bytes(DType dtype) {
        return problem(dtype).bytes();
    }

    @Override
    public String sizes() {
        String text =
                batch + "." + queryHeads + "." + keyValueHeads + "." + queryLength + "." + keyLength + "." + headDim;
        return valueDim == headDim ? text : text + "." + valueDim;
    }

    @Override
    public String toString() {
        return sizes() + restriction.suffix;
    }
}
