package dev.attention4j.measure;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.tuning.StorageName;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An attention, written {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}: batch, query heads, key and value heads (which divide them), query
 * and key length, width of queries and keys, width of values if it is another. {@code :causal} (aligned top-left), {@code
 * :mask}, an expression such as {@code :score-alibi} or {@code :mask-if-documents}, {@code :cache}, {@code :cache-float16} or
 * {@code :pages16-float16} may follow, and after all of them {@code :backward} or {@code :training}.
 *
 * @param cache null, or what holds keys and values, of which the last {@code queryLength} are new: they are appended, and
 *     each query attends up to its own position
 * @param pass forward, backward or both
 */
public record AttentionShape(
        int batch,
        int queryHeads,
        int keyValueHeads,
        int queryLength,
        int keyLength,
        int headDim,
        int valueDim,
        ScoreOption option,
        Cache cache,
        Pass pass)
        implements Shape {
    private static final Pattern CACHED = Pattern.compile("([^:]*):(cache|pages(\\d{1,4}))(?:-(.*))?");

    /**
     * A cache of keys and values.
     *
     * @param type how it stores them
     * @param pageSize tokens of a page; 0 for none
     */
    public record Cache(DType type, int pageSize) {
        @Override
        public String toString() {
            return (pageSize == 0 ? "cache" : "pages" + pageSize)
                    + (type == DType.FLOAT32 ? "" : "-" + StorageName.of(type));
        }
    }

    /** The passes that can be measured. */
    public enum Pass {
        /** The output. */
        FORWARD(1, 0),
        /** The gradients of query, key and value. */
        BACKWARD(0, 1),
        /** The output with its log-sum-exp, and then the gradients. */
        TRAINING(1, 1);

        private final int outputs;
        private final int gradients;

        Pass(int outputs, int gradients) {
            this.outputs = outputs;
            this.gradients = gradients;
        }

        private String suffix() {
            return this == FORWARD ? "" : ":" + name().toLowerCase(Locale.ROOT);
        }
    }

    /** The forms of all kinds of shapes. */
    public static final String FORM =
            "B.Hq.Hkv.Lq.Lk.D[.Dv] with :causal, :mask, :score-NAME or :mask-if-NAME (of ScoreExpressions, such as"
                    + " :mask-if-documents), :cache[-type] or :pages16[-type] after it, and :backward or"
                    + " :training (forward and backward) last, such as"
                    + " 4.8.8.1024.1024.64:causal, or layer:B.T.width.heads or gemm:rows.in.out";

    /** An attention without a cache. */
    public AttentionShape(
            int batch,
            int queryHeads,
            int keyValueHeads,
            int queryLength,
            int keyLength,
            int headDim,
            int valueDim,
            ScoreOption option) {
        this(batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, option, null, Pass.FORWARD);
    }

    /** Reads one; an error names the text and the form. */
    public static AttentionShape parse(String text) {
        return parse(text, FORM);
    }

    static AttentionShape parse(String text, String form) {
        for (Pass other : Pass.values()) {
            if (other != Pass.FORWARD && text.endsWith(other.suffix())) {
                String rest = text.substring(0, text.length() - other.suffix().length());
                AttentionShape shape = rest.contains(Pass.BACKWARD.suffix()) || rest.contains(Pass.TRAINING.suffix())
                        ? null
                        : parse(rest, form);
                if (shape == null || shape.isCached()) {
                    throw Shape.refused(text, ", must be " + form + "; a cache has no gradients");
                }
                return shape.withPass(other);
            }
        }
        Matcher cached = CACHED.matcher(text);
        if (cached.matches()) {
            DType type = cached.group(4) == null
                    ? DType.FLOAT32
                    : StorageName.parseKeyValue(cached.group(2), cached.group(4));
            int pageSize = cached.group(3) == null ? 0 : Integer.parseInt(cached.group(3));
            return parse(cached.group(1), form).cached(text, new Cache(type, pageSize));
        }
        for (ScoreOption option : ScoreOption.values()) {
            String sizes = text.substring(
                    0, Math.max(0, text.length() - option.suffix().length()));
            if (text.equals(sizes + option.suffix()) && sizes.indexOf(':') < 0) {
                int[] n = Shape.sizes(text, sizes, "", 6, 7, form);
                AttentionShape shape = new AttentionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[n.length - 1], option);
                shape.check(text);
                return shape;
            }
        }
        throw Shape.refused(text, ", must be " + form);
    }

    private AttentionShape cached(String text, Cache held) {
        if (queryLength > keyLength) {
            throw Shape.refused(
                    text, " has " + queryLength + " new tokens, must have no more than the " + keyLength + " keys");
        }
        return new AttentionShape(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, option, held, pass);
    }

    @Override
    public boolean isCached() {
        return cache != null;
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
        return option == ScoreOption.CAUSAL;
    }

    @Override
    public boolean isMasked() {
        return option == ScoreOption.MASK;
    }

    /** These sizes with a storage type, of all tensors but a cache's, and an operation of the caller's. */
    public AttentionProblem problem(DType dtype, Attention attention) {
        DType ofKeys = isCached() ? cache.type : dtype;
        return new AttentionProblem(
                batch,
                queryHeads,
                keyValueHeads,
                queryLength,
                keyLength,
                headDim,
                valueDim,
                new StorageTypes(dtype, ofKeys, ofKeys),
                attention);
    }

    /** The operation of this shape; {@code mask} is null unless {@link #isMasked()}. */
    public Attention attention(Tensor mask) {
        Attention plain = isCausal()
                ? Attention.causal(Alignment.TOP_LEFT)
                : isCached() && queryLength > 1 ? Attention.causal(Alignment.BOTTOM_RIGHT) : Attention.DEFAULT;
        return mask == null
                ? option.addTo(plain, this)
                : plain.toBuilder().mask(mask).build();
    }

    /** The problem of this shape, without the mask that it may have. */
    public AttentionProblem problem(DType dtype) {
        return problem(dtype, attention(null));
    }

    /** The same with other lengths. */
    public AttentionShape withLengths(int queries, int keys) {
        return new AttentionShape(
                batch, queryHeads, keyValueHeads, queries, keys, headDim, valueDim, option, cache, pass);
    }

    /** The same with other heads. */
    public AttentionShape withHeads(int heads, int ofKeyAndValue) {
        return new AttentionShape(
                batch, heads, ofKeyAndValue, queryLength, keyLength, headDim, valueDim, option, cache, pass);
    }

    /** The same with other widths. */
    public AttentionShape withWidths(int ofHeads, int ofValues) {
        return new AttentionShape(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, ofHeads, ofValues, option, cache, pass);
    }

    /** The same with another batch size. */
    public AttentionShape withBatch(int rows) {
        return new AttentionShape(
                rows, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, option, cache, pass);
    }

    /** The same with another pass. */
    public AttentionShape withPass(Pass other) {
        return new AttentionShape(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, option, cache, other);
    }

    /** {@return true where gradients are computed} */
    public boolean hasGradients() {
        return pass != Pass.FORWARD;
    }

    @Override
    public double flops() {
        // Scores are a product of the head's width, and so are two of their gradients; the rest are of the values'.
        double products = pass.outputs + pass.gradients * (3.0 * headDim + 2.0 * valueDim) / (headDim + valueDim);
        return products * problem(DType.FLOAT32).flops();
    }

    @Override
    public double bytes(DType dtype) {
        // A gradient is read or written for each tensor.
        return (pass.outputs + 2.0 * pass.gradients) * problem(dtype).bytes();
    }

    @Override
    public String sizes() {
        String text =
                batch + "." + queryHeads + "." + keyValueHeads + "." + queryLength + "." + keyLength + "." + headDim;
        return valueDim == headDim ? text : text + "." + valueDim;
    }

    @Override
    public String toString() {
        return sizes() + option.suffix() + (isCached() ? ":" + cache : "") + pass.suffix();
    }
}
