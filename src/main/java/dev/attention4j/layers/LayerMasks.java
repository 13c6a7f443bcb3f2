package dev.attention4j.layers;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Turns a call's masks into options of attention that are no larger than the masks: the query mask, and the others as one
 * mask, or as a mask and a bias of −∞.
 */
final class LayerMasks {
    private LayerMasks() {}

    /**
     * Sets a call's masks, without causal and window, which cost an engine less than a mask.
     *
     * @throws IllegalArgumentException if the rank or the sizes of one do not fit the inputs; names it
     */
    static void set(AttentionBuilder attention, AttentionInputs inputs, AttendedAxes axes, int heads) {
        inputs.queryMask()
                .map(mask -> positions("queryMask", mask, "query", inputs.query(), axes))
                .ifPresent(attention::queryMask);
        Tensor values = inputs.valueMask()
                .map(mask -> positions("valueMask", mask, "value", inputs.value(), axes))
                .orElse(null);
        Tensor keys = inputs.keyMask()
                .map(mask -> positions("keyMask", mask, "key", inputs.key(), axes))
                .orElse(null);
        Tensor pairs = inputs.attentionMask()
                .map(mask -> pairs(mask, inputs, axes, heads))
                .orElse(null);
        Tensor seen = values == null ? keys : keys == null ? values : and(values.shape(), values, keys);
        Tensor seenByAll = seen == null ? null : seen.reshape(seen.size(0), 1, 1, seen.size(1));
        if (pairs == null || seenByAll == null) {
            attention.mask(pairs == null ? seenByAll : pairs);
        } else if (pairs.size(0) == seen.size(0) && pairs.size(3) == seen.size(1)) {
            attention.mask(and(pairs.shape(), pairs, seenByAll));
        } else {
            // Merged, they would have an element for each pair of each batch row, which neither has.
            attention.mask(pairs).bias(minusInfinityWhereFalse(seenByAll));
        }
    }

    private static Tensor positions(String name, Tensor mask, String of, Tensor input, AttendedAxes axes) {
        TensorChecks.open(name, mask);
        long[] expected = Arrays.copyOf(input.shape(), input.rank() - 1);
        if (!Arrays.equals(mask.shape(), expected)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(mask.shape()) + ", must be "
                    + Arrays.toString(expected) + ", the shape of " + of + " without its features"
                    + TensorChecks.differs(mask, expected));
        }
        return axes.flattenMask(mask);
    }

    /** Aligns the attention mask: its first axes with the scores' first, its last with the positions of query and key. */
    private static Tensor pairs(Tensor mask, AttentionInputs inputs, AttendedAxes axes, int heads) {
        TensorChecks.open("attentionMask", mask);
        long[] scores = axes.scoresShape(inputs.query(), inputs.key(), heads);
        int positions = 2 * axes.count();
        if (mask.rank() < positions || mask.rank() > scores.length) {
            throw refused(mask, positions, scores);
        }
        long[] aligned = new long[scores.length];
        Arrays.fill(aligned, 1);
        int leading = mask.rank() - positions;
        for (int axis = 0; axis < mask.rank(); axis++) {
            int at = axis < leading ? axis : scores.length - mask.rank() + axis;
            if (mask.size(axis) != 1 && mask.size(axis) != scores[at]) {
                throw refused(mask, positions, scores);
            }
            aligned[at] = mask.size(axis);
        }
        int free = scores.length - positions - 1;
        int[] groups = {0, free, free + 1, free + 1 + axes.count(), scores.length};
        return grouped(mask.contiguous().reshape(aligned), scores, groups);
    }

    private static IllegalArgumentException refused(Tensor mask, int positions, long... scores) {
        return new IllegalArgumentException("attentionMask: shape " + Arrays.toString(mask.shape()) + ", must have "
                + positions + " to " + scores.length + " axes that are those of the scores "
                + Arrays.toString(scores) + " (batch, heads, query, key) or 1; heads may be left out, and batch too");
    }

    /** Makes one axis of each group of axes. A group of only 1s stays 1; any other is broadcast to its full size. */
    private static Tensor grouped(Tensor mask, long[] full, int... groups) {
        long[] spread = mask.shape();
        long[] result = new long[groups.length - 1];
        for (int group = 0; group < result.length; group++) {
            long[] sizes = Arrays.copyOfRange(spread, groups[group], groups[group + 1]);
            if (Arrays.stream(sizes).anyMatch(size -> size != 1)) {
                System.arraycopy(full, groups[group], spread, groups[group], sizes.length);
            }
            result[group] = AttendedAxes.product(Arrays.copyOfRange(spread, groups[group], groups[group + 1]));
        }
        if (Arrays.equals(spread, mask.shape())) {
            return mask.reshape(result);
        }
        return mask.broadcast(spread).contiguous().reshape(result);
    }

    private static Tensor minusInfinityWhereFalse(Tensor mask) {
        boolean[] attends = mask.toBooleanArray();
        float[] bias = new float[attends.length];
        for (int n = 0; n < bias.length; n++) {
            bias[n] = attends[n] ? 0 : Float.NEGATIVE_INFINITY;
        }
        return Tensor.of(bias, mask.shape());
    }

    /** Returns the conjunction of masks that broadcast to a shape. */
    private static Tensor and(long[] shape, Tensor... masks) {
        Tensor all = Tensor.zeros(DType.BOOL, shape);
        ByteBuffer target = all.bytes();
        for (Tensor mask : masks) {
            ByteBuffer source = mask.broadcast(shape).contiguous().bytes();
            for (int n = 0; n < target.capacity(); n++) {
                boolean attends = source.get(n) != 0 && (mask == masks[0] || target.get(n) != 0);
                target.put(n, (byte) (attends ? 1 : 0));
            }
        }
        return all;
    }
}
