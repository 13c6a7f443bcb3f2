package dev.attention4j.tuner;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A shape to tune for: {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}, with {@code :causal} (aligned top-left) behind it or not.
 *
 * @param text as it was written
 * @param problem the problem in float32
 */
public record TuningShape(String text, AttentionProblem problem) {
    private static final Pattern SYNTAX =
            Pattern.compile("(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})"
                    + "\\.(\\d{1,9})(?:\\.(\\d{1,9}))?(:causal)?");

    /** A tensor in host memory has fewer bytes than this. */
    private static final double MOST_BYTES = Integer.MAX_VALUE;

    /** The classes that are met most, each by a shape that a CPU computes in a tenth of a second. */
    public static final String USUAL = "1.8.8.1024.1024.64,1.8.8.1024.1024.64:causal,1.8.8.1024.1024.128,"
            + "1.8.8.1024.1024.128:causal,1.12.12.128.128.32,4.12.12.256.256.64,2.16.16.256.256.128,8.8.8.1.2048.64,"
            + "1.32.8.1.2048.128";

    /**
     * Reads a comma-separated list.
     *
     * @param list shapes
     * @return each once, in the order of the list
     * @throws IllegalArgumentException that names the shape which is none, and says how one is written
     */
    public static List<TuningShape> parseList(String list) {
        Set<String> texts = new LinkedHashSet<>();
        for (String text : list.split(",", -1)) {
            texts.add(text.strip());
        }
        List<TuningShape> shapes = new ArrayList<>();
        texts.forEach(text -> shapes.add(parse(text)));
        return shapes;
    }

    static TuningShape parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("shape: \"" + text
                    + "\", must be B.Hq.Hkv.Lq.Lk.D[.Dv] with or without :causal, such as 1.8.8.1024.1024.64:causal");
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
            return new TuningShape(
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

    /** As it was written. */
    @Override
    public String toString() {
        return text;
    }
}
