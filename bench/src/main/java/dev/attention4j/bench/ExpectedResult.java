package dev.attention4j.bench;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.measure.SampledOracle;
import dev.attention4j.reference.ReferenceAttention;
import dev.attention4j.reference.ReferenceGradients;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.Slice;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * The expected result of a problem: all of it by the double-precision oracle, or, where that would take too long,
 * blocks of rows spread over it by the oracle and the rest by the first contender that agrees with those.
 */
public final class ExpectedResult {
    private static final int BLOCK_ROWS = 32;
    /** The operations of the oracle in a few seconds on two cores. */
    static final double ORACLE_FLOPS = 3e9;
    /** Those of the gradients of one head's keys and values, which take all of its queries. */
    private static final double GROUP_FLOPS = 1.2e10;

    private final DType dtype;
    private final int width;
    private final double[] expected;
    private final boolean[] known;
    private double largest;
    private float[] first;
    private String firstName;

    private ExpectedResult(DType dtype, int rows, int width) {
        this.dtype = dtype;
        this.width = width;
        expected = new double[rows * width];
        known = new boolean[rows];
    }

    /** Computes what the oracle can compute in a few seconds. */
    public static ExpectedResult of(Inputs inputs) {
        return of(inputs, ORACLE_FLOPS);
    }

    /** As {@link #of(Inputs)} with another limit. */
    static ExpectedResult of(Inputs inputs, double mostFlops) {
        AttentionProblem problem = inputs.problem();
        int rows = problem.batch() * problem.queryHeads() * problem.queryLength();
        ExpectedResult truth = new ExpectedResult(problem.dtype(), rows, problem.valueDim());
        int blocksPerHead = (problem.queryLength() + BLOCK_ROWS - 1) / BLOCK_ROWS;
        int blocks = problem.batch() * problem.queryHeads() * blocksPerHead;
        SampledOracle.choose(blocks, blocks * mostFlops / problem.flops()).parallelStream()
                .forEach(block -> truth.compute(inputs, block / blocksPerHead, block % blocksPerHead));
        return truth.complete();
    }

    /**
     * Computes the gradients of blocks of queries spread over the problem, and those of the keys and values of a head whose queries
     * are all among them: of the first one, where that can be done in some seconds more.
     */
    static ExpectedResult ofGradients(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        Tensor outputGradient = inputs.outputGradient();
        int queries = (int) inputs.query().elementCount();
        int keys = (int) inputs.key().elementCount();
        int values = (int) inputs.value().elementCount();
        ExpectedResult truth = new ExpectedResult(DType.FLOAT32, queries + keys + values, 1);
        int blocksPerHead = (problem.queryLength() + BLOCK_ROWS - 1) / BLOCK_ROWS;
        int slices = problem.batch() * problem.queryHeads();
        int blocksPerGroup = blocksPerHead * (problem.queryHeads() / problem.keyValueHeads());
        double flops = inputs.flops() / (slices * blocksPerHead);
        Set<Integer> chosen = new TreeSet<>(SampledOracle.choose(slices * blocksPerHead, ORACLE_FLOPS / flops));
        for (int n = 0; n < blocksPerGroup && blocksPerGroup * flops <= GROUP_FLOPS; n++) {
            chosen.add(n);
        }
        chosen.parallelStream().forEach(block -> {
            int slice = block / blocksPerHead;
            int from = block % blocksPerHead * BLOCK_ROWS;
            int to = Math.min(problem.queryLength(), from + BLOCK_ROWS);
            int group = block / blocksPerGroup;
            boolean whole = IntStream.range(group * blocksPerGroup, (group + 1) * blocksPerGroup)
                    .allMatch(chosen::contains);
            dev.attention4j.measure.Inputs part = SampledOracle.part(inputs.tensors(), slice, from, to);
            Tensor gradient = new Slice(
                            slice / problem.queryHeads(), 1, slice % problem.queryHeads(), 1, from, to - from)
                    .ofQuery(outputGradient);
            // The oracle computes the result anew.
            ReferenceGradients gradients = ReferenceGradients.compute(new GradientCall(
                    part.problem(),
                    part.query(),
                    part.key(),
                    part.value(),
                    null,
                    null,
                    gradient,
                    GradientOptions.DEFAULT));
            synchronized (truth) {
                truth.add(gradients.query(), (slice * problem.queryLength() + from) * problem.headDim());
                if (whole) {
                    truth.add(gradients.key(), queries + group * gradients.key().length);
                    truth.add(gradients.value(), queries + keys + group * gradients.value().length);
                }
            }
        });
        return truth.complete();
    }

    private void add(double[] terms, int first) {
        for (int n = 0; n < terms.length; n++) {
            expected[first + n] += terms[n];
            known[first + n] = true;
        }
    }

    /**
     * Computes rows one by one.
     *
     * @param oracle gives a row, [width]; called by several threads
     */
    static ExpectedResult of(DType dtype, int rows, int width, IntPredicate wanted, IntFunction<double[]> oracle) {
        ExpectedResult truth = new ExpectedResult(dtype, rows, width);
        IntStream.range(0, rows).filter(wanted).parallel().forEach(row -> {
            System.arraycopy(oracle.apply(row), 0, truth.expected, row * width, width);
            truth.known[row] = true;
        });
        return truth.complete();
    }

    private ExpectedResult complete() {
        for (int n = 0; n < expected.length; n++) {
            largest = known[n / width] ? Math.max(largest, Math.abs(expected[n])) : largest;
        }
        return this;
    }

    private int knownRows() {
        int rows = 0;
        for (boolean row : known) {
            rows += row ? 1 : 0;
        }
        return rows;
    }

    private void compute(Inputs inputs, int slice, int block) {
        AttentionProblem problem = inputs.problem();
        int from = block * BLOCK_ROWS;
        int to = Math.min(problem.queryLength(), from + BLOCK_ROWS);
        dev.attention4j.measure.Inputs part = SampledOracle.part(inputs.tensors(), slice, from, to);
        double[] output = ReferenceAttention.compute(part.problem(), part.query(), part.key(), part.value())
                .output();
        int row = slice * problem.queryLength() + from;
        System.arraycopy(output, 0, expected, row * problem.valueDim(), output.length);
        for (int n = from; n < to; n++) {
            known[row + n - from] = true;
        }
    }

    /**
     * The largest difference of a result from what it must be; 0 or more; NaN if a number is NaN; infinite if there are
     * not as many numbers as there must be.
     */
    public double error(float[] output) {
        if (output.length != expected.length) {
            return Double.POSITIVE_INFINITY;
        }
        double error = 0;
        for (int n = 0; n < output.length; n++) {
            // Math.max gives NaN if either is.
            if (known[n / width]) {
                error = Math.max(error, Math.abs(output[n] - expected[n]));
            } else if (first != null) {
                error = Math.max(error, Math.abs((double) output[n] - first[n]));
            } else if (Float.isNaN(output[n])) {
                error = Double.NaN;
            }
        }
        return error;
    }

    /**
     * The largest error that rounding explains: well above what summing in another order does, well below what a wrong
     * row or tile does.
     */
    public double limit() {
        double relative = dtype == DType.FLOAT32 ? 1e-4 : dtype == DType.FLOAT16 ? 4e-3 : 3e-2;
        return relative * largest;
    }

    /** Checks a result; the first that is right becomes the measure of what the oracle did not compute. */
    public double check(String name, float[] output) {
        double error = error(output);
        if (!(error <= limit())) {
            throw new IllegalStateException(String.format(
                    Locale.ROOT, "wrong result: largest error %.2e, may be %.2e (%s)", error, limit(), against()));
        }
        if (first == null && knownRows() < known.length) {
            first = output;
            firstName = name;
        }
        return error;
    }

    /** The name of the result that others are checked against. */
    public String against() {
        if (knownRows() == known.length) {
            return "oracle";
        }
        return String.format(
                        Locale.ROOT,
                        "oracle on %.1f %% of the " + (width == 1 ? "numbers" : "rows"),
                        100.0 * knownRows() / known.length)
                + (first == null ? "" : ", " + firstName + " on the others");
    }
}
