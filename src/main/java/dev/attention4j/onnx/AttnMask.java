package dev.attention4j.onnx;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Turns the input {@code attn_mask} into a mask or a bias over all keys. */
final class AttnMask {
    private AttnMask() {}

    /** Sets the builder's mask for booleans, or its bias for numbers. */
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

    /** Returns rows of {@code keys} elements: the keys that a row lacks may not be attended to, by false or −∞. */
    private static Tensor padded(Tensor attnMask, int keys) {
        int given = Math.toIntExact(attnMask.size(-1));
        if (given == keys) {
            return attnMask;
        }
        long[] shape = attnMask.shape();
        shape[shape.length - 1] = keys;
        if (Arrays.stream(shape).reduce(1, Math::multiplyExact) > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "attnMask: over all keys it is " + Arrays.toString(shape) + ", must have less than 2^31 elements");
        }
        float[] missing = new float[keys - given];
        if (attnMask.dtype() != DType.BOOL) {
            Arrays.fill(missing, Float.NEGATIVE_INFINITY);
        }
        ByteBuffer end = Tensor.of(missing, missing.length).to(attnMask.dtype()).bytes();
        Tensor padded = Tensor.zeros(attnMask.dtype(), shape);
        int rowBytes = given * attnMask.dtype().bytes();
        ByteBuffer target = padded.bytes();
        ByteBuffer source = attnMask.contiguous().bytes();
        while (target.hasRemaining()) {
            target.put(source.slice(source.position(), rowBytes));
            source.position(source.position() + rowBytes);
            target.put(end.duplicate());
        }
        return padded;
    }
}
