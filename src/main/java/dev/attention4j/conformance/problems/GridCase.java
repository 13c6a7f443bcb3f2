package dev.attention4j.conformance.problems;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * One problem of a peer's test grid. Its name says all of it, and draws the same numbers each time.
 *
 * @param peer whose grid it is of
 * @param options in the order of {@link GridOption}
 */
public record GridCase(String peer, AttentionShape shape, DType dtype, Set<GridOption> options, boolean logSumExp) {
    /** The cost of a case, more or less: as if every query saw every key. */
    public double flops() {
        return 2.0
                * shape.batch()
                * shape.queryHeads()
                * shape.queryLength()
                * shape.keyLength()
                * (shape.headDim() + shape.valueDim());
    }

    /** The value that this case has on each axis of its grid, for {@link Covering}. */
    List<String> axes() {
        List<String> axes = new ArrayList<>(List.of(
                "batch " + shape.batch(),
                "heads " + shape.queryHeads() + "/" + shape.keyValueHeads(),
                "lengths " + shape.queryLength() + "/" + shape.keyLength(),
                "widths " + shape.headDim() + "/" + shape.valueDim(),
                dtype.name()));
        for (GridOption option : GridOption.values()) {
            axes.add(option + (options.contains(option) ? " on" : " off"));
        }
        return axes;
    }

    /** Tensors and operation; the same for the same name. */
    public Inputs inputs() {
        Random random = new Random(toString().hashCode());
        AttentionBuilder attention = Attention.builder().logSumExp(logSumExp);
        options.forEach(option -> option.set(this, attention, random));
        Attention operation = attention.build();
        int[] lengths = operation.keyLengths();
        Tensor query = drawn(random, shape.queryHeads(), shape.queryLength(), shape.headDim(), new int[0]);
        Tensor key = drawn(random, shape.keyValueHeads(), shape.keyLength(), shape.headDim(), lengths);
        Tensor value = drawn(random, shape.keyValueHeads(), shape.keyLength(), shape.valueDim(), lengths);
        return new Inputs(query, key, value, operation);
    }

    /** Normally distributed, and NaN after each batch row's length. */
    private Tensor drawn(Random random, int heads, int length, int width, int[] lengths) {
        float[] numbers = Normal.numbers(random, shape.batch() * heads * length * width);
        for (int row = 0; row < lengths.length; row++) {
            for (int head = 0; head < heads; head++) {
                int first = (row * heads + head) * length;
                Arrays.fill(numbers, (first + lengths[row]) * width, (first + length) * width, Float.NaN);
            }
        }
        Tensor tensor = Tensor.of(numbers, shape.batch(), heads, length, width).to(dtype);
        return options.contains(GridOption.PERMUTED)
                ? tensor.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)
                : tensor;
    }

    /** Fit for a command line: peer, batch.heads.keyValueHeads.queries.keys.headDim.valueDim, storage, options. */
    @Override
    public String toString() {
        String asked = options.stream().map(GridOption::toString).collect(Collectors.joining("+"));
        String sizes = shape.valueDim() == shape.headDim() ? shape.sizes() + "." + shape.valueDim() : shape.sizes();
        return peer + "/" + sizes + "/" + dtype + "/" + (asked.isEmpty() ? "plain" : asked);
    }

    /**
     * Normally distributed numbers, drawn once and then copied: drawing them anew would take longer than attention does.
     */
    private static final class Normal {
        /** A prime, so that it has no period in common with any width or length. */
        private static final int COUNT = 999_983;

        private static final float[] NUMBERS = new float[COUNT];

        static {
            Random random = new Random(20_260_101);
            for (int n = 0; n < COUNT; n++) {
                NUMBERS[n] = (float) random.nextGaussian();
            }
        }

        private Normal() {}

        /** Mean 0, variance 1, from a random place on. */
        static float[] numbers(Random random, int count) {
            float[] numbers = new float[count];
            int from = random.nextInt(COUNT);
            for (int done = 0; done < count; ) {
                int here = Math.min(count - done, COUNT - from);
                System.arraycopy(NUMBERS, from, numbers, done, here);
                done += here;
                from = 0;
            }
            return numbers;
        }
    }
}
