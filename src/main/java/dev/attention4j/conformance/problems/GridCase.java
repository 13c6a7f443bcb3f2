package dev.attention4j.conformance.problems;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
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
 * @param batch batch rows
 * @param heads query heads
 * @param keyValueHeads heads of key and value
 * @param queries query length
 * @param keys key length
 * @param headDim width of queries and keys
 * @param valueDim width of values
 * @param dtype storage
 * @param options what is asked for; in the order of {@link GridOption}
 * @param logSumExp whether the log-sum-exp is asked for
 */
public record GridCase(
        String peer,
        int batch,
        int heads,
        int keyValueHeads,
        int queries,
        int keys,
        int headDim,
        int valueDim,
        DType dtype,
        Set<GridOption> options,
        boolean logSumExp) {
    /** What a case costs, more or less: as if every query saw every key. */
    public double flops() {
        return 2.0 * batch * heads * queries * keys * (headDim + valueDim);
    }

    /** The value that this case has on each axis of its grid, for {@link Covering}. */
    List<String> axes() {
        List<String> axes = new ArrayList<>(List.of(
                "batch " + batch,
                "heads " + heads + "/" + keyValueHeads,
                "lengths " + queries + "/" + keys,
                "widths " + headDim + "/" + valueDim,
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
        Tensor query = drawn(random, heads, queries, headDim, new int[0]);
        Tensor key = drawn(random, keyValueHeads, keys, headDim, operation.keyLengths());
        Tensor value = drawn(random, keyValueHeads, keys, valueDim, operation.keyLengths());
        return new Inputs(query, key, value, operation);
    }

    /** Normally distributed, and NaN behind each batch row's length. */
    private Tensor drawn(Random random, int itsHeads, int length, int width, int[] lengths) {
        float[] numbers = Normal.numbers(random, batch * itsHeads * length * width);
        for (int row = 0; row < lengths.length; row++) {
            for (int head = 0; head < itsHeads; head++) {
                int first = (row * itsHeads + head) * length;
                Arrays.fill(numbers, (first + lengths[row]) * width, (first + length) * width, Float.NaN);
            }
        }
        Tensor tensor = Tensor.of(numbers, batch, itsHeads, length, width).to(dtype);
        return options.contains(GridOption.PERMUTED)
                ? tensor.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)
                : tensor;
    }

    /** Fit for a command line: peer, batch.heads.keyValueHeads.queries.keys.headDim.valueDim, storage, options. */
    @Override
    public String toString() {
        String asked = options.stream().map(GridOption::toString).collect(Collectors.joining("+"));
        return peer + "/" + batch + "." + heads + "." + keyValueHeads + "." + queries + "." + keys + "." + headDim + "."
                + valueDim + "/" + dtype + "/" + (asked.isEmpty() ? "plain" : asked);
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
