package dev.attention4j.conformance.problems;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * The rule of {@link dev.attention4j.reference.Yardstick} on chosen query rows, where all of them would take the oracle
 * too long. All other rows must be finite and agree with the first result that was right. Of few rows plain float code is
 * computed in several orders of its sums, and its largest error counts. A result that is not right is looked at once more
 * with many more rows: the chosen ones may have the result's worst and not that of plain code.
 *
 * <p>Any operation but a packed one: a block of rows of one head is a problem of its own, with the same positions.
 */
public final class RowSample {
    private static final int BLOCK_ROWS = 8;

    /** Of fewer rows the largest error of plain float code is a matter of luck. */
    private static final int MANY_ROWS = 64;

    private static final int ORDERS = 4;

    /** How many times the effort the second look takes. */
    private static final int SECOND_LOOK = 16;

    /** Rows from {@code firstRow} on of [batch, queryHeads, queryLength], and what they must be. */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares two of them.
    private record Block(
            int firstRow, double[] output, double outputError, double[] logSumExp, double logSumExpError) {}

    private final Inputs inputs;
    private final AttentionProblem problem;
    private final double mostFlops;
    private List<Block> blocks;
    private boolean lookedTwice;
    private float[] firstRight;

    /**
     * Computes what it can within an effort.
     *
     * @param inputs of the problem
     * @param mostFlops operations of the oracle, 16 times as many for a result that is not right; at least the first and
     *     the last block are computed
     */
    public RowSample(Inputs inputs, double mostFlops) {
        this.inputs = inputs;
        this.mostFlops = mostFlops;
        problem = inputs.problem();
        if (problem.attention().isPacked()) {
            throw new IllegalArgumentException("inputs: packed sequences, must be batch rows");
        }
        blocks = blocks(mostFlops);
    }

    private List<Block> blocks(double flops) {
        int blocksOfHead = (problem.queryLength() + BLOCK_ROWS - 1) / BLOCK_ROWS;
        int all = problem.batch() * problem.queryHeads() * blocksOfHead;
        double blockFlops = 2.0 * BLOCK_ROWS * problem.keyLength() * (problem.headDim() + problem.valueDim());
        return SampledBlocks.choose(all, flops / Math.max(1, blockFlops)).parallelStream()
                .map(block -> block(block / blocksOfHead, block % blocksOfHead))
                .toList();
    }

    private Block block(int slice, int blockOfHead) {
        int batch = slice / problem.queryHeads();
        int head = slice % problem.queryHeads();
        int from = blockOfHead * BLOCK_ROWS;
        int to = Math.min(problem.queryLength(), from + BLOCK_ROWS);
        Tensor query = part(inputs.query(), batch, head).slice(2, from, to);
        Tensor key = part(inputs.key(), batch, problem.keyValueHead(head));
        Tensor value = part(inputs.value(), batch, problem.keyValueHead(head));
        AttentionProblem part = AttentionProblem.of(query, key, value, operation(batch, head, from, to));
        ReferenceAttention oracle = ReferenceAttention.compute(part, query, key, value);
        double outputError = 0;
        double logSumExpError = 0;
        int orders = problem.batch() * problem.queryHeads() * problem.queryLength() < MANY_ROWS ? ORDERS : 1;
        for (int order = 0; order < orders; order++) {
            int firstDim = order * problem.headDim() / orders;
            PlainFloatAttention plain = PlainFloatAttention.compute(part, query, key, value, firstDim);
            // What plain code stores in 16 bits is rounded as well.
            Tensor stored = Tensor.of(plain.output(), part.outputShape()).to(problem.dtype());
            outputError = Math.max(outputError, largestError(stored.toFloatArray(), oracle.output(), 0));
            logSumExpError = Math.max(logSumExpError, largestError(plain.logSumExp(), oracle.logSumExp(), 0));
        }
        int firstRow = slice * problem.queryLength() + from;
        return new Block(firstRow, oracle.output(), outputError, oracle.logSumExp(), logSumExpError);
    }

    private static Tensor part(Tensor tensor, int batch, int head) {
        return tensor.slice(0, batch, batch + 1).slice(1, head, head + 1);
    }

    /** What the operation is for some rows of one head. */
    private Attention operation(int batch, int head, int from, int to) {
        Attention whole = problem.attention();
        AttentionBuilder part = whole.toBuilder()
                .alignOffsets(problem.offset(batch) + from)
                .mask(whole.mask()
                        .map(mask -> rows(mask, batch, head, from, to))
                        .orElse(null))
                .bias(whole.bias()
                        .map(bias -> rows(bias, batch, head, from, to))
                        .orElse(null));
        whole.queryMask()
                .ifPresent(
                        mask -> part.queryMask(mask.slice(0, batch, batch + 1).slice(1, from, to)));
        int[] lengths = whole.keyLengths();
        if (lengths.length > 0) {
            part.keyLengths(lengths[lengths.length == 1 ? 0 : batch]);
        }
        if (whole.alibiSlopes().length > 0) {
            part.alibiSlopes(problem.alibiSlope(batch, head));
        }
        if (whole.sinks().length > 0) {
            part.sinks(problem.sink(head));
        }
        return part.build();
    }

    /** The part of a mask or bias that some rows of a head see. */
    private Tensor rows(Tensor given, int batch, int head, int from, int to) {
        return part(given.broadcast(problem.weightsShape()), batch, head).slice(2, from, to);
    }

    /**
     * Measures the chosen rows.
     *
     * @param result of the whole problem
     * @return of the output, then of the log-sum-exp if the operation asks for it
     */
    public List<Deviation> measure(AttentionResult result) {
        List<Deviation> deviations = deviations(result);
        if (!lookedTwice && !deviations.stream().allMatch(Deviation::isAllowed)) {
            lookedTwice = true;
            blocks = blocks(SECOND_LOOK * mostFlops);
            deviations = deviations(result);
        }
        return deviations;
    }

    private List<Deviation> deviations(AttentionResult result) {
        List<Deviation> deviations = new ArrayList<>();
        deviations.add(outputDeviation(result.output().toFloatArray()));
        if (problem.attention().wantsLogSumExp()) {
            deviations.add(deviation(
                    "log-sum-exp", result.logSumExp().toFloatArray(), 1, Block::logSumExp, Block::logSumExpError));
        }
        return deviations;
    }

    private Deviation outputDeviation(float[] output) {
        return deviation("output", output, problem.valueDim(), Block::output, Block::outputError);
    }

    private Deviation deviation(
            String what,
            float[] numbers,
            int width,
            Function<Block, double[]> oracle,
            ToDoubleFunction<Block> ofPlain) {
        double error = 0;
        double plainError = 0;
        for (Block block : blocks) {
            error = Math.max(error, largestError(numbers, oracle.apply(block), block.firstRow * width));
            plainError = Math.max(plainError, ofPlain.applyAsDouble(block));
        }
        return new Deviation(what, error, plainError, "");
    }

    /**
     * What is wrong with a result, in the chosen rows or in any other.
     *
     * @param result of the whole problem
     * @return empty if it is right
     */
    public Optional<String> objection(AttentionResult result) {
        List<Deviation> deviations = measure(result);
        for (Deviation deviation : deviations) {
            if (!deviation.isAllowed()) {
                return Optional.of(deviation.toString());
            }
        }
        return disagreementOf(result);
    }

    /**
     * Whether a result differs from the first one that was right, in rows that the oracle did not compute: each of two
     * right results may be off to its side, and be rounded to its side.
     *
     * @param result of the whole problem
     * @return empty if it does not, or is wrong in the rows that were computed
     */
    public Optional<String> disagreement(AttentionResult result) {
        Deviation deviation = measure(result).get(0);
        return deviation.isAllowed() ? disagreementOf(result) : Optional.empty();
    }

    /**
     * Where the two differ most the oracle is asked about both: plain code's error on the chosen rows says little of rows
     * with larger ones.
     */
    private Optional<String> disagreementOf(AttentionResult result) {
        float[] output = result.output().toFloatArray();
        float[] first = firstRight == null ? output : firstRight;
        while (true) {
            double limit = outputDeviation(output).limit();
            int at = mostDifferent(output, first, limit);
            if (at < 0) {
                firstRight = first;
                return Optional.empty();
            }
            int row = at / problem.valueDim();
            int slice = row / problem.queryLength();
            int blockOfHead = row % problem.queryLength() / BLOCK_ROWS;
            int firstRow = slice * problem.queryLength() + blockOfHead * BLOCK_ROWS;
            boolean known = blocks.stream().anyMatch(block -> block.firstRow == firstRow);
            if (!known) {
                List<Block> more = new ArrayList<>(blocks);
                more.add(block(slice, blockOfHead));
                blocks = more;
            }
            Deviation deviation = outputDeviation(output);
            Deviation ofFirst = outputDeviation(first);
            if (known || !deviation.isAllowed() || !ofFirst.isAllowed()) {
                return Optional.of("output " + output[at] + " at " + at + ", another engine or plan has " + first[at]
                        + ", may differ by " + 2 * limit + "; by the oracle " + deviation + ", of the other "
                        + ofFirst);
            }
        }
    }

    /** The element that differs most from the other's, if by more than it may; else -1. */
    private int mostDifferent(float[] output, float[] first, double limit) {
        double unit = problem.dtype() == DType.FLOAT32 ? 0 : problem.dtype() == DType.FLOAT16 ? 0x1p-10 : 0x1p-7;
        int most = -1;
        double largest = 0;
        for (int n = 0; n < output.length; n++) {
            double difference = Deviation.difference(output[n], first[n]);
            if (!(difference <= 2 * limit + unit * Math.abs(first[n])) && !(difference <= largest)) {
                most = n;
                largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
            }
        }
        return most;
    }

    /** NaN or infinite unless NaN and infinities are where the oracle has them. */
    private static double largestError(float[] got, double[] oracle, int first) {
        double largest = 0;
        for (int n = 0; n < oracle.length; n++) {
            largest = Math.max(largest, Deviation.difference(got[first + n], oracle[n]));
        }
        return largest;
    }
}
