package dev.attention4j.layers;

import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** A call's masks as one that an engine reads: {@code [batch, heads, queryLength, keyLength]}, with 1 for "all". */
final class LayerMasks {
    private LayerMasks() {}

    /**
     * And-s a call's masks; causal and window are not among them, they cost an engine less than a mask.
     *
     * @throws IllegalArgumentException if one has not the rank or the sizes that the inputs want; names it
     */
    static Optional<Tensor> of(AttentionInputs inputs, AttendedAxes axes, int heads) {
        List<Tensor> masks = new ArrayList<>();
        inputs.queryMask()
                .map(mask -> positions("queryMask", mask, "query", inputs.query(), axes))
                .ifPresent(flat -> masks.add(flat.reshape(flat.size(0), 1, flat.size(1), 1)));
        inputs.valueMask()
                .map(mask -> positions("valueMask", mask, "value", inputs.value(), axes))
                .ifPresent(flat -> masks.add(flat.reshape(flat.size(0), 1, 1, flat.size(1))));
        inputs.keyMask()
                .map(mask -> positions("keyMask", mask, "key", inputs.key(), axes))
                .ifPresent(flat -> masks.add(flat.reshape(flat.size(0), 1, 1, flat.size(1))));
        inputs.attentionMask().ifPresent(mask -> masks.add(pairs(mask, inputs, axes, heads)));
        return masks.stream().reduce(LayerMasks::and);
    }

    private static Tensor positions(String name, Tensor mask, String of, Tensor input, AttendedAxes axes) {
        Checks.open(name, mask);
        long[] expected = Arrays.copyOf(input.shape(), input.rank() - 1);
        if (!Arrays.equals(mask.shape(), expected)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(mask.shape()) + ", must be "
                    + Arrays.toString(expected) + ", the shape of " + of + " without its features");
        }
        return axes.flattenMask(mask);
    }

    /** The attention mask: its first axes are the scores' first, its last are the positions of query and key. */
    private static Tensor pairs(Tensor mask, AttentionInputs inputs, AttendedAxes axes, int heads) {
        Checks.open("attentionMask", mask);
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

    /** Makes one axis of each group; a group that is 1 throughout stays 1, another is spread over its whole size. */
    private static Tensor grouped(Tensor mask, long[] full, int... groups) {
        long[] spread = mask.shape();
        long[] result = new long[groups.length - 1];
        for (int group = 0; group < result.length; group++) {
            long[] sizes = Arrays.copyOfRange(spread, groups[group], groups[group + 1]);
            if (Arrays.stream(sizes).anyMatch(size -> size != 1)) {
                System.arraycopy(full, groups[group], spread, groups[group], sizes.length);
            }
            result[group] = Sizes.product(Arrays.copyOfRange(spread, groups[group], groups[group + 1]));
        }
        boolean[] elements = Arrays.equals(spread, mask.shape()) ? null : broadcast(mask, spread);
        return elements == null ? mask.reshape(result) : Tensor.of(elements, result);
    }

    private static Tensor and(Tensor first, Tensor second) {
        long[] shape = new long[first.rank()];
        for (int axis = 0; axis < shape.length; axis++) {
            shape[axis] = first.size(axis) == 1 ? second.size(axis) : first.size(axis);
        }
        boolean[] both = broadcast(first, shape);
        boolean[] other = broadcast(second, shape);
        for (int n = 0; n < both.length; n++) {
            both[n] &= other[n];
        }
        return Tensor.of(both, shape);
    }

    private static int elements(long... shape) {
        try {
            return Math.toIntExact(Sizes.product(shape));
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(
                    "masks: together they are " + Arrays.toString(shape) + ", must have less than 2^31 elements", e);
        }
    }

    /** Row-major elements of a mask spread to a shape of as many axes, in which its axes of 1 may be larger. */
    private static boolean[] broadcast(Tensor mask, long... shape) {
        boolean[] target = new boolean[elements(shape)];
        boolean[] source = mask.toBooleanArray();
        long[] index = new long[shape.length];
        for (int n = 0; n < target.length; n++) {
            int at = 0;
            for (int axis = 0; axis < shape.length; axis++) {
                at = at * (int) mask.size(axis) + (mask.size(axis) == 1 ? 0 : (int) index[axis]);
            }
            target[n] = source[at];
            for (int axis = shape.length - 1; axis >= 0 && ++index[axis] == shape[axis]; axis--) {
                index[axis] = 0;
            }
        }
        return target;
    }
}
