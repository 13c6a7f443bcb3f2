package dev.attention4j.tuner;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What an output of attention or of a projection must be: all of it by the double-precision oracle or, where that would take too long, blocks of rows
 * spread over it, and the other rows as in the first output that agrees with those.
 *
 * <p>The error against the oracle may be twice that of plain float loops, plus 10⁻⁶; two outputs may each be that far to
 * either side.
 */
final class SampledOracle {
    private static final int BLOCK_ROWS = 16;

    /** Neighbouring rows, of one head if there are heads, and what they must be. */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares two of them.
    private record Block(int firstRow, double[] expected, double plainError) {}

    private final int elements;
    private final int width;
    private final boolean whole;
    private final List<Block> blocks;
    private final double limit;
    private float[] firstRight;

    private SampledOracle(int elements, int width, boolean whole, List<Block> blocks) {
        this.elements = elements;
        this.width = width;
        this.whole = whole;
        this.blocks = blocks;
        limit = 2 * blocks.stream().mapToDouble(Block::plainError).max().orElse(0) + 1e-6;
    }

    /**
     * Computes as much of an attention as it can within an effort.
     *
     * @param problem without mask, bias and what else differs from row to row but causal
     * @param mostFlops operations of the oracle; at least the first and the last block are computed
     */
    static SampledOracle ofAttention(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, double mostFlops) {
        Attention attention = problem.attention();
        if (attention.mask().isPresent() || attention.bias().isPresent() || attention.isPacked()) {
            throw new IllegalArgumentException("problem: " + attention + ", must be plain or causal");
        }
        int rows = problem.batch() * problem.queryHeads() * problem.queryLength();
        int blocksOfHead = blocks(problem.queryLength());
        int all = problem.batch() * problem.queryHeads() * blocksOfHead;
        SortedSet<Integer> chosen = choose(all, mostFlops / Math.max(1, problem.flops()));
        return new SampledOracle(
                Math.multiplyExact(rows, problem.valueDim()),
                problem.valueDim(),
                chosen.size() == all,
                chosen.parallelStream()
                        .map(block -> block(problem, query, key, value, block / blocksOfHead, block % blocksOfHead))
                        .toList());
    }

    /**
     * Computes as much of a projection as it can within an effort.
     *
     * @param input [1, rows, inputs], float32
     * @param kernel [inputs, 1, outputs], float32
     * @param bias [1, outputs], float32
     * @param mostFlops operations of the oracle; at least the first and the last block are computed
     */
    static SampledOracle ofProjection(Tensor input, Tensor kernel, Tensor bias, double mostFlops) {
        int rows = Math.toIntExact(input.size(1));
        int outputs = Math.toIntExact(kernel.size(2));
        int all = blocks(rows);
        SortedSet<Integer> chosen = choose(all, mostFlops / (2.0 * rows * input.size(2) * outputs));
        float[] weights = kernel.toFloatArray();
        float[] addends = bias.toFloatArray();
        return new SampledOracle(
                Math.multiplyExact(rows, outputs),
                outputs,
                chosen.size() == all,
                chosen.parallelStream()
                        .map(block -> block(input, weights, addends, block * BLOCK_ROWS))
                        .toList());
    }

    private static int blocks(int rows) {
        return (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    }

    /** The first and the last block, and between them a sequence that has no period in common with the heads. */
    private static SortedSet<Integer> choose(int all, double share) {
        SortedSet<Integer> chosen = new TreeSet<>();
        chosen.add(0);
        chosen.add(all - 1);
        if (share >= 1) {
            for (int n = 0; n < all; n++) {
                chosen.add(n);
            }
            return chosen;
        }
        double golden = (Math.sqrt(5) - 1) / 2;
        for (int n = 1; n <= share * all; n++) {
            chosen.add((int) (n * golden % 1 * all));
        }
        return chosen;
    }

    private static Block block(
            AttentionProblem problem, Tensor query, Tensor key, Tensor value, int slice, int blockOfHead) {
        int batch = slice / problem.queryHeads();
        int head = slice % problem.queryHeads();
        int from = blockOfHead * BLOCK_ROWS;
        int to = Math.min(problem.queryLength(), from + BLOCK_ROWS);
        Tensor queryPart = part(query, batch, head).slice(2, from, to);
        Tensor keyPart = part(key, batch, problem.keyValueHead(head));
        Tensor valuePart = part(value, batch, problem.keyValueHead(head));
        AttentionBuilder attention = Attention.builder();
        if (problem.attention().isCausal()) {
            attention.causalOffsets(problem.offset(batch) + from);
        }
        AttentionProblem part = AttentionProblem.of(queryPart, keyPart, valuePart, attention.build());
        double[] expected =
                ReferenceAttention.compute(part, queryPart, keyPart, valuePart).output();
        float[] plain =
                PlainFloatAttention.compute(part, queryPart, keyPart, valuePart).output();
        // What plain code stores in 16 bits is rounded as well.
        double[] stored =
                Tensor.of(plain, part.outputShape()).to(problem.dtype()).toDoubleArray();
        double error = 0;
        for (int n = 0; n < expected.length; n++) {
            error = Math.max(error, Math.abs(stored[n] - expected[n]));
        }
        return new Block(slice * problem.queryLength() + from, expected, error);
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

    private static Tensor part(Tensor tensor, int batch, int head) {
        return tensor.slice(0, batch, batch + 1).slice(1, head, head + 1);
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
            int first = block.firstRow() * width;
            for (int n = 0; n < block.expected().length; n++) {
                // Math.max gives NaN if either is.
                error = Math.max(error, Math.abs(output[first + n] - block.expected()[n]));
            }
        }
        if (!(error <= limit)) {
            return wrong("the oracle", error, limit);
        }
        if (whole) {
            return Optional.empty();
        }
        double difference = 0;
        for (int n = 0; n < elements; n++) {
            difference =
                    Math.max(difference, Math.abs((double) output[n] - (firstRight == null ? output : firstRight)[n]));
        }
        if (!(difference <= 2 * limit)) {
            return wrong("another plan, or other tunables", difference, 2 * limit);
        }
        firstRight = firstRight == null ? output.clone() : firstRight;
        return Optional.empty();
    }

    private static Optional<String> wrong(String from, double error, double limit) {
        return Optional.of(String.format(Locale.ROOT, "differs by %.1e from %s, may be %.1e", error, from, limit));
    }
}
