package dev.attention4j.onnx;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** The input {@code attn_mask} as a mask or a bias over all keys. */
final class AttnMask {
    private AttnMask() {}

    /** Sets the builder's mask, if it is one of booleans, or its bias, if it is one of numbers. */
    static void set(AttentionBuilder builder, Tensor attnMask, AttentionProblem shapes) {
        TensorChecks.open("attnMask", attnMask);
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
        Tensor padded = Tensor.zeros(attnMask.dtype(), checked(shape));
        int unit = attnMask.dtype().bytes();
        ByteBuffer target = padded.bytes();
        ByteBuffer source = attnMask.contiguous().bytes();
        ByteBuffer missing = beyond(attnMask.dtype(), keys - given);
        while (target.hasRemaining()) {
            target.put(source.slice(source.position(), given * unit));
            source.position(source.position() + given * unit);
            target.put(missing.duplicate());
        }
        return padded;
    }

    /** What stands for keys that may not be attended to: false, or −∞. */
    private static ByteBuffer beyond(DType dtype, int count) {
        Tensor tensor = dtype == DType.BOOL
                ? Tensor.zeros(DType.BOOL, count)
                : Tensor.of(filled(count), count).to(dtype);
        return tensor.bytes();
    }

    private static float[] filled(int count) {
        float[] infinities = new float[count];
        Arrays.fill(infinities, Float.NEGATIVE_INFINITY);
        return infinities;
    }

    private static long[] checked(long... shape) {
        long elements = 1;
        for (long size : shape) {
            elements = Math.multiplyExact(elements, size);
        }
        if (elements > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "attnMask: over all keys it is " + Arrays.toString(shape) + ", must have less than 2^31 elements");
        }
        return shape;
    }
}
