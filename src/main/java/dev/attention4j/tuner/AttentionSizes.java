package dev.attention4j.tuner;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The sizes of an attention as lists of shapes have them: {@code B.Hq.Hkv.Lq.Lk.D[.Dv]}.
 *
 * @param batch B
 * @param queryHeads Hq
 * @param keyValueHeads Hkv, a divisor of Hq
 * @param queryLength Lq
 * @param keyLength Lk
 * @param headDim D
 * @param valueDim Dv, D unless given
 */
public record AttentionSizes(
        int batch, int queryHeads, int keyValueHeads, int queryLength, int keyLength, int headDim, int valueDim) {
    /** A tensor in host memory has fewer bytes than this. */
    public static final double MOST_BYTES = Integer.MAX_VALUE;

    private static final Pattern SYNTAX = Pattern.compile(
            "(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})" + "\\.(\\d{1,9})\\.(\\d{1,9})(?:\\.(\\d{1,9}))?");

    /**
     * Reads the sizes of a shape.
     *
     * @param shape all of it as it was written, for errors
     * @param sizes the part that this class is about
     * @param form how a shape is written, for errors
     * @return sizes whose tensors fit into host memory in float32
     * @throws IllegalArgumentException that names the shape and what must be
     */
    public static AttentionSizes parse(String shape, String sizes, String form) {
        Matcher matcher = SYNTAX.matcher(sizes);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("shape: \"" + shape + "\", must be " + form);
        }
        int[] numbers = new int[7];
        for (int n = 0; n < numbers.length; n++) {
            String number = matcher.group(n + 1);
            numbers[n] = number == null ? numbers[5] : Integer.parseInt(number);
            if (numbers[n] == 0) {
                throw new IllegalArgumentException("shape: \"" + shape + "\" has a 0, every size must be 1 or more");
            }
        }
        AttentionSizes parsed =
                new AttentionSizes(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]);
        parsed.check(shape);
        return parsed;
    }

    private void check(String shape) {
        if (queryHeads % keyValueHeads != 0) {
            throw new IllegalArgumentException("shape: \"" + shape + "\" has " + queryHeads
                    + " query heads, must be a multiple of the " + keyValueHeads + " key/value heads");
        }
        double rows = Math.max((double) queryHeads * queryLength, (double) keyValueHeads * keyLength);
        if (Float.BYTES * batch * rows * Math.max(headDim, valueDim) >= MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + shape + "\" is too large, each tensor must be smaller than 2 GiB");
        }
    }

    /**
     * An operation on tensors of these sizes.
     *
     * @param dtype how query, key and value are stored
     * @param attention the operation
     * @return both
     */
    public AttentionProblem problem(DType dtype, Attention attention) {
        return new AttentionProblem(
                batch, queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, dtype, attention);
    }

    /** As it is written in a list. */
    @Override
    public String toString() {
        String text =
                batch + "." + queryHeads + "." + keyValueHeads + "." + queryLength + "." + keyLength + "." + headDim;
        return valueDim == headDim ? text : text + "." + valueDim;
    }
}
