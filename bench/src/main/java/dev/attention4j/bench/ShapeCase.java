package dev.attention4j.bench;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.tuner.AttentionSizes;
import java.util.ArrayList;
import java.util.List;

/**
 * An attention to time: {@link AttentionSizes}, with {@code :causal} (aligned top-left) or {@code :mask} behind it.
 *
 * @param tensors their sizes
 * @param restriction what of the scores is masked
 */
public record ShapeCase(AttentionSizes tensors, Restriction restriction) implements Shape {
    /** What of the scores is masked. */
    public enum Restriction {
        /** Nothing. */
        NONE(""),
        /** Keys beyond the query's own position, aligned top-left as PyTorch's {@code is_causal} is. */
        CAUSAL(":causal"),
        /** A quarter of the scores of each batch row, by a boolean mask [batch, 1, queryLength, keyLength]. */
        MASK(":mask");

        private final String suffix;

        Restriction(String suffix) {
            this.suffix = suffix;
        }
    }

    /** The word for {@link #GRID} in a list of shapes. */
    public static final String GRID_WORD = "grid";

    private static final String FORM = "B.Hq.Hkv.Lq.Lk.D[.Dv] with :causal or :mask behind it, such as"
            + " 4.8.8.1024.1024.64:causal, or layer:B.T.width.heads or gemm:rows.in.out";

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
        int colon = text.indexOf(':');
        String sizes = colon < 0 ? text : text.substring(0, colon);
        for (Restriction restriction : Restriction.values()) {
            if (text.equals(sizes + restriction.suffix)) {
                ShapeCase parsed = new ShapeCase(AttentionSizes.parse(text, sizes, FORM), restriction);
                parsed.checkMask(text);
                return parsed;
            }
        }
        throw new IllegalArgumentException("shape: \"" + text + "\", must be " + FORM);
    }

    private void checkMask(String text) {
        if (isMasked()
                && 1.0 * tensors.batch() * tensors.queryLength() * tensors.keyLength() >= AttentionSizes.MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, its mask must be smaller than 2 GiB");
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
        return tensors.toString();
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
        return tensors.problem(dtype, attention.build());
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
        return sizes() + restriction.suffix;
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
                "1.32.8.2048.2048.128:causal",
                "8.8.8.1.4096.64",
                "1.32.32.1.16384.128",
                "4.8.8.1024.1024.64:mask",
                "1.4.4.4096.4096.512",
                "1.1.1.1.1.64",
                "1.8.8.16.16.64",
                "1.2.2.64.64.64",
                "1.16.16.77.77.64")) {
            grid.add(parse(one));
        }
        return List.copyOf(grid);
    }
}
