package dev.attention4j.bench;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One shape to time: {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}, with {@code :causal} (aligned top-left) or {@code :mask} behind it.
 *
 * @param batch B
 * @param queryHeads Hq
 * @param keyValueHeads Hkv, a divisor of Hq
 * @param queryLength Lq
 * @param keyLength Lk
 * @param headDim D
 * @param valueDim Dv, D unless given
 * @param restriction what of the scores is masked
 */
public record ShapeCase(
        int batch,
        int queryHeads,
        int keyValueHeads,
        int queryLength,
        int keyLength,
        int headDim,
        int valueDim,
        Restriction restriction)
        implements Shape {
    /** What of the scores is masked. */
    public enum Restriction {
        /** Nothing. */
        NONE,
        /** Keys beyond the query's own position, aligned top-left as PyTorch's {@code is_causal} is. */
        CAUSAL,
        /** A quarter of the scores of each batch row, by a boolean mask [batch, 1, queryLength, keyLength]. */
        MASK
    }

    /** The word for {@link #GRID} in a list of shapes. */
    public static final String GRID_WORD = "grid";

    private static final Pattern SYNTAX =
            Pattern.compile("(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})"
                    + "(?:\\.(\\d{1,9}))?(?::(causal|mask))?");

    /** A tensor in host memory has fewer bytes than this. */
    static final double MOST_BYTES = Integer.MAX_VALUE;

    /** The grid that figures are published for. */
    public static final List<ShapeCase> GRID = grid();

    /**
     * Reads one shape.
     *
     * @param text as the class says
     * @return the shape
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static ShapeCase parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("shape: \"" + text
                    + "\", must be B.Hq.Hkv.Lq.Lk.D[.Dv] with :causal or :mask behind it, such as 4.8.8.1024.1024.64:causal,"
                    + " or layer:B.T.width.heads or gemm:rows.in.out");
        }
        int[] sizes = new int[7];
        for (int n = 0; n < sizes.length; n++) {
            String size = matcher.group(n + 1);
            sizes[n] = size == null ? sizes[5] : Integer.parseInt(size);
            if (sizes[n] == 0) {
                throw new IllegalArgumentException("shape: \"" + text + "\" has a 0, every size must be 1 or more");
            }
        }
        String word = matcher.group(8);
        ShapeCase parsed = new ShapeCase(
                sizes[0],
                sizes[1],
                sizes[2],
                sizes[3],
                sizes[4],
                sizes[5],
                sizes[6],
                word == null ? Restriction.NONE : word.equals("causal") ? Restriction.CAUSAL : Restriction.MASK);
        parsed.check(text);
        return parsed;
    }

    private void check(String text) {
        if (queryHeads % keyValueHeads != 0) {
            throw new IllegalArgumentException("shape: \"" + text + "\" has " + queryHeads
                    + " query heads, must be a multiple of the " + keyValueHeads + " key/value heads");
        }
        double query = 4.0 * batch * queryHeads * queryLength * Math.max(headDim, valueDim);
        double key = 4.0 * batch * keyValueHeads * keyLength * Math.max(headDim, valueDim);
        double mask = restriction == Restriction.MASK ? 1.0 * batch * queryLength * keyLength : 0;
        if (Math.max(mask, Math.max(query, key)) >= MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, each tensor must be smaller than 2 GiB");
        }
    }

    @Override
    public boolean isCausal() {
        return restriction == Restriction.CAUSAL;
    }

    @Override
    public boolean isMasked() {
        return restriction == Restriction.MASK;
    }

    @Override
    public String sizes() {
        String text =
                batch + "." + queryHeads + "." + keyValueHeads + "." + queryLength + "." + keyLength + "." + headDim;
        return valueDim == headDim ? text : text + "." + valueDim;
    }

    /**
     * The problem of this shape.
     *
     * @param dtype what the tensors are stored as
     * @param mask null unless {@link #isMasked()}
     * @return what a contender computes
     */
    public AttentionProblem problem(DType dtype, Tensor mask) {
        AttentionBuilder attention = Attention.builder().mask(mask);
        if (isCausal()) {
            attention.causal(Alignment.TOP_LEFT);
        }
        return new AttentionProblem(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, dtype, attention.build());
    }

    @Override
    public double flops(DType dtype) {
        return problem(dtype, null).flops();
    }

    @Override
    public double bytes(DType dtype) {
        return problem(dtype, null).bytes();
    }

    /** As it is written in a list. */
    @Override
    public String toString() {
        return switch (restriction) {
            case NONE -> sizes();
            case CAUSAL -> sizes() + ":causal";
            case MASK -> sizes() + ":mask";
        };
    }

    private static List<ShapeCase> grid() {
        List<ShapeCase> grid = new ArrayList<>();
        for (String both : List.of(
                "4.8.8.1024.1024.64",
                "1.8.8.4096.4096.64",
                "2.8.8.2048.2048.128",
                "1.32.32.1024.1024.128",
                "8.12.12.512.512.64",
                "1.12.12.128.128.32",
                "1.16.16.1024.1024.256",
                "1.8.8.3001.3001.80")) {
            grid.add(parse(both));
            grid.add(parse(both + ":causal"));
        }
        for (String one : List.of(
                "1.32.8.2048.2048.128:causal", "8.8.8.1.4096.64", "1.32.32.1.16384.128", "4.8.8.1024.1024.64:mask")) {
            grid.add(parse(one));
        }
        return List.copyOf(grid);
    }
}
