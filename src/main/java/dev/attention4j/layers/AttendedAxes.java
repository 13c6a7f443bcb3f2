package dev.attention4j.layers;

import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Turns inputs with any number of axes into {@code [batch, length, features]}: the axes that are attended over become the
 * length, the others the batch.
 */
final class AttendedAxes {
    private final int rank;
    /** The input's axes that are not attended over, the first among them. */
    final int[] free;
    /** The input's axes that are attended over, in the order asked for. */
    final int[] attended;

    /**
     * Checks the axes for inputs of a rank, batch and features included.
     *
     * @param asked as the user gave them, negative ones counted from the end; empty for all but the first and the last
     * @throws IllegalArgumentException if one is out of range or named twice
     */
    AttendedAxes(int rank, List<Integer> asked) {
        this.rank = rank;
        boolean[] taken = new boolean[rank];
        attended = asked.isEmpty() ? IntStream.range(1, rank - 1).toArray() : new int[asked.size()];
        for (int n = 0; n < asked.size(); n++) {
            int axis = asked.get(n) < 0 ? asked.get(n) + rank : asked.get(n);
            if (axis < 1 || axis > rank - 2) {
                throw new IllegalArgumentException("attentionAxes: " + asked + ", each must be "
                        + (rank == 3 ? "1 (or -2)" : "1 to " + (rank - 2) + " (or " + (1 - rank) + " to -2)")
                        + " for inputs with " + rank
                        + " axes, the first of which is the batch and the last the features");
            }
            attended[n] = axis;
        }
        for (int axis : attended) {
            if (taken[axis]) {
                throw new IllegalArgumentException("attentionAxes: " + asked + ", must name each axis once");
            }
            taken[axis] = true;
        }
        free = IntStream.range(0, rank - 1).filter(axis -> !taken[axis]).toArray();
    }

    /** Returns the number of axes that are attended over. */
    int count() {
        return attended.length;
    }

    /** Returns the sizes of some of a tensor's axes. */
    static long[] sizes(Tensor tensor, int... axes) {
        return Arrays.stream(axes).mapToLong(tensor::size).toArray();
    }

    /** Returns {@code [batch, length, features]}: a view if the axes are in that order, else a copy. */
    Tensor flatten(Tensor input) {
        Tensor ordered = isInOrder() ? input : input.permute(concat(concat(free, attended), rank - 1));
        return rowMajor(ordered)
                .reshape(product(sizes(input, free)), product(sizes(input, attended)), input.size(rank - 1));
    }

    /** Returns a tensor of the axes of {@link #unflatten}'s result as {@code [batch, length, outputs]}: a view, or a copy. */
    Tensor flattenOutput(Tensor output) {
        int[] outputs = IntStream.range(rank - 1, output.rank()).toArray();
        Tensor ordered = isInOrder() ? output : output.permute(concat(concat(free, attended), outputs));
        return rowMajor(ordered)
                .reshape(
                        product(sizes(output, free)),
                        product(sizes(output, attended)),
                        product(sizes(output, outputs)));
    }

    /** Returns a mask with one element for each position as {@code [batch, length]}. */
    Tensor flattenMask(Tensor mask) {
        Tensor ordered = isInOrder() ? mask : mask.permute(concat(free, attended));
        return rowMajor(ordered).reshape(product(sizes(mask, free)), product(sizes(mask, attended)));
    }

    /** Puts the query's positions back into a row-major [batch, queryLength, outputs], before the axes of the outputs. */
    Tensor unflatten(Tensor flat, Tensor query, long... outputs) {
        Tensor ordered = flat.reshape(concat(concat(sizes(query, free), sizes(query, attended)), outputs));
        if (isInOrder()) {
            return ordered;
        }
        int[] axes = new int[rank - 1 + outputs.length];
        int[] order = concat(free, attended);
        for (int n = 0; n < order.length; n++) {
            axes[order[n]] = n;
        }
        for (int n = rank - 1; n < axes.length; n++) {
            axes[n] = n;
        }
        return ordered.permute(axes).contiguous();
    }

    /** Returns the scores' axes: those not attended over, heads, the query's positions, the key's. */
    long[] scoresShape(Tensor query, Tensor key, int heads) {
        long[] leading = concat(sizes(query, free), heads);
        return concat(leading, concat(sizes(query, attended), sizes(key, attended)));
    }

    private boolean isInOrder() {
        int[] order = concat(free, attended);
        return IntStream.range(0, order.length).allMatch(n -> order[n] == n);
    }

    private static Tensor rowMajor(Tensor tensor) {
        return tensor.isContiguous() ? tensor : tensor.contiguous();
    }

    private static int[] concat(int[] first, int... second) {
        int[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    static long[] concat(long[] first, long... second) {
        long[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    static long product(long... axes) {
        long product = 1;
        for (long axis : axes) {
            product = Math.multiplyExact(product, axis);
        }
        return product;
    }
}
