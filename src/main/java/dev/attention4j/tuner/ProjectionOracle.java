package dev.attention4j.tuner;

import dev.attention4j.Tensor;
import dev.attention4j.conformance.problems.SampledBlocks;
import dev.attention4j.reference.Deviation;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What the output of a projection must be: all of it in double precision or, where that would take too long, blocks of
 * rows spread over it, and the other rows as in the first output that agrees with those.
 *
 * <p>The error may be twice that of plain float loops, plus 10⁻⁶; two outputs may each be that far to either side.
 */
final class ProjectionOracle {
    private static final int BLOCK_ROWS = 16;

    /** Neighbouring rows, and what they must be. */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares two of them.
    private record Block(int firstRow, double[] expected, double plainError) {}

    private final int elements;
    private final int outputs;
    private final List<Block> blocks;
    private final double plainError;
    private float[] firstRight;

    /**
     * Computes as much as it can within an effort.
     *
     * @param input [1, rows, inputs], float32
     * @param kernel [inputs, 1, outputs], float32
     * @param bias [1, outputs], float32
     * @param mostFlops operations of the oracle; at least the first and the last block are computed
     */
    ProjectionOracle(Tensor input, Tensor kernel, Tensor bias, double mostFlops) {
        int rows = Math.toIntExact(input.size(1));
        outputs = Math.toIntExact(kernel.size(2));
        elements = Math.multiplyExact(rows, outputs);
        float[] weights = kernel.toFloatArray();
        float[] addends = bias.toFloatArray();
        double blockFlops = 2.0 * BLOCK_ROWS * input.size(2) * outputs;
        blocks = SampledBlocks.choose((rows + BLOCK_ROWS - 1) / BLOCK_ROWS, mostFlops / blockFlops).parallelStream()
                .map(block -> block(input, weights, addends, block * BLOCK_ROWS))
                .toList();
        plainError = blocks.stream().mapToDouble(Block::plainError).max().orElse(0);
    }

    private static Block block(Tensor input, float[] weights, float[] bias, int from) {
        int to = (int) Math.min(input.size(1), from + BLOCK_ROWS);
        int inputs = (int) input.size(2);
        float[] elements = input.slice(1, from, to).toFloatArray();
        double[] expected = new double[(to - from) * bias.length];
        double error = 0;
        for (int n = 0; n < expected.length; n++) {
            int row = n / bias.length;
            int column = n % bias.length;
            double sum = bias[column];
            float plain = bias[column];
            for (int k = 0; k < inputs; k++) {
                float element = elements[row * inputs + k];
                float weight = weights[k * bias.length + column];
                sum += (double) element * weight;
                plain += element * weight;
            }
            expected[n] = sum;
            error = Math.max(error, Math.abs(plain - sum));
        }
        return new Block(from, expected, error);
    }

    /**
     * What is wrong with an output; the first that is right becomes the measure of the rows that the oracle did not
     * compute.
     *
     * @param output all rows, one after another
     * @return empty if it is right
     */
    Optional<String> objection(float[] output) {
        if (output.length != elements) {
            return Optional.of(output.length + " numbers, must be " + elements);
        }
        double error = 0;
        for (Block block : blocks) {
            int first = block.firstRow() * outputs;
            for (int n = 0; n < block.expected().length; n++) {
                // Math.max gives NaN if either is.
                error = Math.max(error, Deviation.difference(output[first + n], block.expected()[n]));
            }
        }
        Deviation deviation = new Deviation("output", error, plainError, "");
        if (!deviation.isAllowed()) {
            return Optional.of(deviation.toString());
        }
        double difference = 0;
        for (int n = 0; n < elements; n++) {
            difference = Math.max(
                    difference, Deviation.difference(output[n], (firstRight == null ? output : firstRight)[n]));
        }
        if (!(difference <= 2 * deviation.limit())) {
            return Optional.of(String.format(
                    Locale.ROOT,
                    "differs by %.1e from other tunables that are right, may be %.1e",
                    difference,
                    2 * deviation.limit()));
        }
        firstRight = firstRight == null ? output.clone() : firstRight;
        return Optional.empty();
    }
}
