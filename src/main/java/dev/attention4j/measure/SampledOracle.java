package dev.attention4j.measure;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.PlainFloatAttention;
import dev.attention4j.reference.ReferenceAttention;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.spi.Slice;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * The rule of {@link Yardstick} on chosen rows of a result, where all of them would take the
 * oracle too long. All other rows must be finite and agree with the first result that was right. Where an attention has few
 * rows, plain float code is computed in several orders of its sums, and its largest error counts. A result that is not right
 * is checked once more with many more rows: the chosen ones may have the result's worst and not that of plain code.
 *
 * <p>Any attention but a packed one: a block of rows of one head is a problem of its own, with the same positions. And
 * projections, in float32.
 */
public final class SampledOracle {
    private static final double GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
    private static final int BLOCK_ROWS = 8;

    /** The effort of the second check, in efforts of the first. */
    private static final int SECOND_LOOK = 16;

    /** Consecutive rows and what they must be; log-sum-exps are empty for projections. */
    @SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
    private record Block(
            int firstRow, double[] output, double outputError, double[] logSumExp, double logSumExpError) {}

    /** Computes rows {@code from} to {@code to} of one head, numbered over all batch rows. */
    private interface Rows {
        Block compute(int head, int from, int to);
    }

    private final Rows rows;
    private final int heads;
    private final int length;
    private final int width;
    private final DType dtype;
    private final double rowFlops;
    private final double mostFlops;
    private final boolean wantsLogSumExp;
    private List<Block> blocks;
    private boolean lookedTwice;
    private float[] firstRight;

    private SampledOracle(Rows rows, AttentionProblem sizes, double rowFlops, double mostFlops) {
        this.rows = rows;
        heads = sizes.batch() * sizes.queryHeads();
        length = sizes.queryLength();
        width = sizes.valueDim();
        dtype = sizes.dtype();
        wantsLogSumExp = sizes.attention().wantsLogSumExp();
        this.rowFlops = rowFlops;
        this.mostFlops = mostFlops;
        blocks = blocks(mostFlops);
    }

    /**
     * Computes as much of an attention as it can within an effort.
     *
     * @param mostFlops operations of the oracle, 16 times as many for a result that is not right; at least the first and
     *     the last block are computed
     */
    public static SampledOracle of(Inputs inputs, double mostFlops) {
        AttentionProblem problem = inputs.problem();
        if (problem.attention().isPacked()) {
            throw new IllegalArgumentException("inputs: packed sequences, must be batch rows");
        }
        double rowFlops = 2.0 * problem.keyLength() * (problem.headDim() + problem.valueDim());
        int allRows = problem.batch() * problem.queryHeads() * problem.queryLength();
        int orders = allRows < Yardstick.MANY_ROWS ? Yardstick.ORDERS : 1;
        return new SampledOracle(
                (head, from, to) -> attention(inputs, orders, head, from, to), problem, rowFlops, mostFlops);
    }

    /**
     * Computes as much of a projection as it can within an effort, as above.
     *
     * @param input [1, rows, inputs], float32
     * @param kernel [inputs, 1, outputs], float32
     * @param bias [1, outputs], float32
     */
    public static SampledOracle ofProjection(Tensor input, Tensor kernel, Tensor bias, double mostFlops) {
        float[] weights = kernel.toFloatArray();
        float[] addends = bias.toFloatArray();
        int inputs = Math.toIntExact(input.size(2));
        AttentionProblem sizes = new AttentionProblem(
                1, 1, 1, Math.toIntExact(input.size(1)), 1, 1, addends.length, DType.FLOAT32, Attention.DEFAULT);
        return new SampledOracle(
                (head, from, to) -> projection(input.slice(1, from, to).toFloatArray(), weights, addends, from),
                sizes,
                2.0 * inputs * addends.length,
                mostFlops);
    }

    /**
     * Chooses which blocks to compute: all, or the first and the last and between them a sequence that has no period in
     * common with the heads.
     *
     * @param most how many may be computed; the first and the last are even where fewer may
     */
    public static SortedSet<Integer> choose(int all, double most) {
        SortedSet<Integer> chosen = new TreeSet<>();
        for (int n = 0; n < all; n++) {
            if (all <= most || n == 0 || n == all - 1) {
                chosen.add(n);
            }
        }
        for (int n = 1; all > most && n <= most - 2; n++) {
            chosen.add((int) (n * GOLDEN_RATIO % 1 * all));
        }
        return chosen;
    }

    private List<Block> blocks(double flops) {
        int blocksOfHead = (length + BLOCK_ROWS - 1) / BLOCK_ROWS;
        double most = flops / Math.max(1, BLOCK_ROWS * rowFlops);
        return choose(heads * blocksOfHead, most).parallelStream()
                .map(block -> block(block / blocksOfHead, block % blocksOfHead))
                .toList();
    }

    private Block block(int head, int blockOfHead) {
        int from = blockOfHead * BLOCK_ROWS;
        return rows.compute(head, from, Math.min(length, from + BLOCK_ROWS));
    }

    private static Block projection(float[] input, float[] weights, float[] bias, int firstRow) {
        int inputs = weights.length / bias.length;
        double[] expected = new double[input.length / inputs * bias.length];
        double error = 0;
        for (int n = 0; n < expected.length; n++) {
            int row = n / bias.length;
            int column = n % bias.length;
            double sum = bias[column];
            float plain = bias[column];
            for (int k = 0; k < inputs; k++) {
                float element = input[row * inputs + k];
                float weight = weights[k * bias.length + column];
                sum += (double) element * weight;
                plain += element * weight;
            }
            expected[n] = sum;
            error = Math.max(error, Math.abs(plain - sum));
        }
        return new Block(firstRow, expected, error, new double[0], 0);
    }

    private static Block attention(Inputs inputs, int orders, int head, int from, int to) {
        Inputs part = part(inputs, head, from, to);
        AttentionProblem problem = part.problem();
        ReferenceAttention oracle = ReferenceAttention.compute(problem, part.query(), part.key(), part.value());
        double outputError = 0;
        double logSumExpError = 0;
        for (int order = 0; order < orders; order++) {
            int firstDim = order * problem.headDim() / orders;
            PlainFloatAttention plain =
                    PlainFloatAttention.compute(problem, part.query(), part.key(), part.value(), firstDim);
            // Plain code rounds what it stores in 16 bits as well.
            Tensor stored = Tensor.of(plain.output(), problem.outputShape()).to(problem.dtype());
            outputError = Math.max(outputError, largestError(stored.toFloatArray(), oracle.output(), 0));
            logSumExpError = Math.max(logSumExpError, largestError(plain.logSumExp(), oracle.logSumExp(), 0));
        }
        int firstRow = head * (int) inputs.query().size(2) + from;
        return new Block(firstRow, oracle.output(), outputError, oracle.logSumExp(), logSumExpError);
    }

    /** Cuts some rows of one head out, as a problem of their own; heads are numbered over all batch rows. */
    public static Inputs part(Inputs inputs, int numberedHead, int from, int to) {
        AttentionProblem problem = inputs.problem();
        int batch = numberedHead / problem.queryHeads();
        int head = numberedHead % problem.queryHeads();
        Slice slice = new Slice(batch, 1, head, 1, from, to - from);
        return new Inputs(
                slice.ofQuery(inputs.query()),
                slice.ofKeys(problem, inputs.key()),
                slice.ofKeys(problem, inputs.value()),
                slice.operation(problem));
    }

    /** Measures the chosen rows: of the output, then of the log-sum-exp if the operation asks for it. */
    public List<Deviation> measure(AttentionResult result) {
        float[] logSumExp = wantsLogSumExp ? result.logSumExp().toFloatArray() : null;
        return measure(result.output().toFloatArray(), logSumExp);
    }

    private List<Deviation> measure(float[] output, float[] logSumExp) {
        List<Deviation> deviations = deviations(output, logSumExp);
        if (!lookedTwice && !deviations.stream().allMatch(Deviation::isAllowed)) {
            lookedTwice = true;
            blocks = blocks(SECOND_LOOK * mostFlops);
            deviations = deviations(output, logSumExp);
        }
        return deviations;
    }

    private List<Deviation> deviations(float[] output, float[] logSumExp) {
        List<Deviation> deviations = new ArrayList<>();
        deviations.add(outputDeviation(output));
        if (logSumExp != null) {
            deviations.add(deviation("log-sum-exp", logSumExp, 1, Block::logSumExp, Block::logSumExpError));
        }
        return deviations;
    }

    private Deviation outputDeviation(float[] output) {
        return deviation("output", output, width, Block::output, Block::outputError);
    }

    private Deviation deviation(
            String what,
            float[] numbers,
            int rowWidth,
            Function<Block, double[]> oracle,
            ToDoubleFunction<Block> ofPlain) {
        double error = 0;
        double plainError = 0;
        for (Block block : blocks) {
            error = Math.max(error, largestError(numbers, oracle.apply(block), block.firstRow * rowWidth));
            plainError = Math.max(plainError, ofPlain.applyAsDouble(block));
        }
        return new Deviation(what, error, plainError, "");
    }

    /** Says what is wrong with a result, in the chosen rows or in any other; empty if it is right. */
    public Optional<String> whyWrong(AttentionResult result) {
        return whyWrong(result.output().toFloatArray(), measure(result));
    }

    /** As above, of the output alone. */
    public Optional<String> whyWrong(float[] output) {
        int elements = heads * length * width;
        return output.length != elements
                ? Optional.of(output.length + " numbers, must be " + elements)
                : whyWrong(output, measure(output, null));
    }

    private Optional<String> whyWrong(float[] output, List<Deviation> deviations) {
        for (Deviation deviation : deviations) {
            if (!deviation.isAllowed()) {
                return Optional.of(deviation.toString());
            }
        }
        return disagreement(output);
    }

    /**
     * Compares a result with the first one that was right, in rows that the oracle did not compute: each of two right
     * results may be off to its side, and be rounded to its side; empty if they agree, or the result is wrong in the
     * rows that were computed.
     */
    public Optional<String> disagreement(AttentionResult result) {
        Deviation deviation = measure(result).get(0);
        return deviation.isAllowed() ? disagreement(result.output().toFloatArray()) : Optional.empty();
    }

    /** Asks the oracle about both where they differ most: plain code's error may be larger in rows that were not chosen. */
    private Optional<String> disagreement(float[] output) {
        float[] first = firstRight == null ? output : firstRight;
        while (true) {
            double limit = outputDeviation(output).limit();
            int at = mostDifferent(output, first, limit);
            if (at < 0) {
                firstRight = first == output ? output.clone() : first;
                return Optional.empty();
            }
            int head = at / width / length;
            int blockOfHead = at / width % length / BLOCK_ROWS;
            int firstRow = head * length + blockOfHead * BLOCK_ROWS;
            boolean known = blocks.stream().anyMatch(block -> block.firstRow == firstRow);
            if (!known) {
                List<Block> more = new ArrayList<>(blocks);
                more.add(block(head, blockOfHead));
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
        double unit = dtype == DType.FLOAT32 ? 0 : dtype == DType.FLOAT16 ? 0x1p-10 : 0x1p-7;
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
