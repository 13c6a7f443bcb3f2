package dev.attention4j.onnx;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.Arrays;

/** The input {@code attn_mask} as a mask or a bias over all keys. */
final class AttnMask {
    private AttnMask() {}

    /** Sets the builder's mask, if it is one of booleans, or its bias, if it is one of numbers. */
    static void set(AttentionBuilder builder, Tensor attnMask, AttentionProblem shapes) {
        Checks.open("attnMask", attnMask);
        check(attnMask, shapes.weightsShape());
        if (attnMask.dtype() == DType.BOOL) {
            builder.mask(padded(attnMask, shapes.keyLength()));
        } else {
            Tensor bias = attnMask.dtype().isFloat() ? attnMask : attnMask.to(DType.FLOAT32);
            builder.bias(padded(bias, shapes.keyLength()));
        }
    }

    private static void check(Tensor attnMask, long... scores) {
        boolean fits = attnMask.rank() >= 1 && attnMask.rank() <= scores.length;
        for (int axis = 1; fits && axis <= attnMask.rank(); axis++) {
            long size = attnMask.size(-axis);
            long whole = scores[scores.length - axis];
            fits = axis == 1 ? size <= whole : size == 1 || size == whole;
        }
        if (!fits) {
            throw new IllegalArgumentException("attnMask: shape " + Arrays.toString(attnMask.shape())
                    + ", must broadcast, right-aligned, to [batch, queryHeads, queryLength, totalLength] = "
                    + Arrays.toString(scores) + "; its last axis may be shorter");
        }
    }

    /** Rows of at least {@code keys}: what a row lacks may not be attended to. */
    private static Tensor padded(Tensor attnMask, int keys) {
        int given = Math.toIntExact(attnMask.size(-1));
        if (given == keys) {
            return attnMask;
        }
        long[] shape = attnMask.shape();
        shape[shape.length - 1] = keys;
        if (attnMask.dtype() == DType.BOOL) {
            boolean[] mask = new boolean[elements(shape)];
            boolean[] rows = attnMask.toBooleanArray();
            for (int row = 0; row < mask.length / keys; row++) {
                System.arraycopy(rows, row * given, mask, row * keys, given);
            }
            return Tensor.of(mask, shape);
        }
        float[] bias = new float[elements(shape)];
        Arrays.fill(bias, Float.NEGATIVE_INFINITY);
        float[] rows = attnMask.toFloatArray();
        for (int row = 0; row < bias.length / keys; row++) {
            System.arraycopy(rows, row * given, bias, row * keys, given);
        }
        return Tensor.of(bias, shape);
    }

    private static int elements(long... shape) {
        try {
            return Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(
                    "attnMask: over all keys it is " + Arrays.toString(shape) + ", must have less than 2^31 elements",
                    e);
        }
    }
}
