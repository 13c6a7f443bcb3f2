package dev.attention4j.tuner;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An attention to tune for: {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}, with {@code :causal} (aligned top-left) behind it or not.
 *
 * @param text as it was written
 * @param problem the problem in float32
 */
public record AttentionShape(String text, AttentionProblem problem) implements TuningShape {
    private static final Pattern SYNTAX =
            Pattern.compile("(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})"
                    + "\\.(\\d{1,9})(?:\\.(\\d{1,9}))?(:causal)?");

    /** A tensor in host memory has fewer bytes than this. */
    private static final double MOST_BYTES = Integer.MAX_VALUE;

    static AttentionShape parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("shape: \"" + text
                    + "\", must be B.Hq.Hkv.Lq.Lk.D[.Dv] with or without :causal, such as 1.8.8.1024.1024.64:causal, or"
                    + " gemm:rows.in.out");
        }
        int[] sizes = new int[7];
        for (int n = 0; n < sizes.length; n++) {
            String size = matcher.group(n + 1);
            sizes[n] = size == null ? sizes[5] : Integer.parseInt(size);
            if (sizes[n] == 0) {
                throw new IllegalArgumentException("shape: \"" + text + "\" has a 0, every size must be 1 or more");
            }
        }
        Attention attention = matcher.group(8) == null
                ? Attention.DEFAULT
                : Attention.builder().causal(Alignment.TOP_LEFT).build();
        double width = Math.max(sizes[5], sizes[6]);
        double rows = Math.max((double) sizes[1] * sizes[3], (double) sizes[2] * sizes[4]);
        if (4 * sizes[0] * rows * width >= MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, each tensor must be smaller than 2 GiB");
        }
        try {
            return new AttentionShape(
                    text,
                    new AttentionProblem(
                            sizes[0],
                            sizes[1],
                            sizes[2],
                            sizes[3],
                            sizes[4],
                            sizes[5],
                            sizes[6],
                            DType.FLOAT32,
                            attention));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("shape: \"" + text + "\": " + e.getMessage(), e);
        }
    }

    /**
     * The problem with another storage type.
     *
     * @param dtype how query, key and value are stored
     * @return otherwise the same
     */
    public AttentionProblem problem(DType dtype) {
        return new AttentionProblem(
                problem.batch(),
                problem.queryHeads(),
                problem.keyValueHeads(),
                problem.queryLength(),
                problem.keyLength(),
                problem.headDim(),
                problem.valueDim(),
                dtype,
                problem.attention());
    }

    @Override
    public ProblemClass problems(DType dtype) {
        return ProblemClass.of(problem(dtype));
    }

    @Override
    public double flops() {
        return problem.flops();
    }

    /** As it was written. */
    @Override
    public String toString() {
        return text;
    }
}
