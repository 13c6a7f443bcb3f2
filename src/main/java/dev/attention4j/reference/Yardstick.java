package dev.attention4j.reference;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * The rule by which an engine is right. Its largest error against the oracle is at most twice that of plain float code on
 * the same problem, plus 10⁻⁶. NaN and infinities are where the oracle has them and nowhere else. A query with no key to
 * attend to gives exactly 0.
 *
 * <p>Where there are few rows, the largest error of plain float code is a matter of luck: a result that is not right by it is
 * measured by plain code with its sums in other orders too, of which the largest error counts.
 *
 * <p>Computes oracle and plain float code once, for the results of any number of engines.
 */
public final class Yardstick {
    /** With fewer rows one order of plain code's sums may not show how large its errors are. */
    public static final int MANY_ROWS = 64;

    /** The orders of plain code's sums that are looked at where rows are few. */
    public static final int ORDERS = 4;

    private final AttentionProblem problem;
    private final ReferenceAttention oracle;
    private final IntFunction<PlainFloatAttention> computePlain;
    private final List<PlainFloatAttention> plain = new ArrayList<>();

    private Yardstick(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        this.problem = problem;
        oracle = ReferenceAttention.compute(problem, query, key, value);
        computePlain =
                order -> PlainFloatAttention.compute(problem, query, key, value, order * problem.headDim() / ORDERS);
    }

    private synchronized PlainFloatAttention plain(int order) {
        while (plain.size() <= order) {
            plain.add(computePlain.apply(plain.size()));
        }
        return plain.get(order);
    }

    /** Computes oracle and plain float code of a problem whose tensors are on the host, for any number of results. */
    public static Yardstick of(Tensor query, Tensor key, Tensor value, Attention attention) {
        return new Yardstick(AttentionProblem.of(query, key, value, attention), query, key, value);
    }

    /**
     * Measures output, then weights and log-sum-exp if asked for. A wrong type or shape is an error of NaN.
     *
     * @param result of the problem, on the host
     * @param asked the operation as the engine got it, which may ask for other results than the problem
     */
    public List<Deviation> measure(AttentionResult result, Attention asked) {
        List<Deviation> deviations = new ArrayList<>();
        deviations.add(measure(
                "output",
                result.output(),
                problem.dtype(),
                oracle.output(),
                PlainFloatAttention::output,
                problem.outputShape()));
        if (asked.wantsWeights() && !ReferenceAttention.keepsWeights(problem)) {
            throw new IllegalArgumentException("asked: wants weights, must not: the problem was computed without them,"
                    + " because they are more than " + ReferenceAttention.MOST_UNASKED);
        }
        if (asked.wantsWeights()) {
            long[] shape = problem.weightsShape();
            deviations.add(measure(
                    "weights", result.weights(), DType.FLOAT32, oracle.weights(), PlainFloatAttention::weights, shape));
        }
        if (asked.wantsLogSumExp()) {
            long[] shape = problem.logSumExpShape();
            deviations.add(measure(
                    "log-sum-exp",
                    result.logSumExp(),
                    DType.FLOAT32,
                    oracle.logSumExp(),
                    PlainFloatAttention::logSumExp,
                    shape));
        }
        return deviations;
    }

    private Deviation measure(
            String what,
            Tensor got,
            DType dtype,
            double[] wanted,
            Function<PlainFloatAttention, float[]> ofPlain,
            long... shape) {
        if (got.dtype() != dtype || !Arrays.equals(got.shape(), shape)) {
            return new Deviation(
                    what,
                    Double.NaN,
                    0,
                    "got " + got.dtype() + " " + Arrays.toString(got.shape()) + ", must be " + dtype + " "
                            + Arrays.toString(shape));
        }
        double[] elements = got.toDoubleArray();
        int width = oracle.logSumExp().length == 0 ? 0 : elements.length / oracle.logSumExp().length;
        for (int n = 0; n < elements.length; n++) {
            // However small, a result of a query with no key is no rounding error.
            if (oracle.logSumExp()[n / width] == Double.NEGATIVE_INFINITY && elements[n] != wanted[n]) {
                return new Deviation(
                        what,
                        Double.POSITIVE_INFINITY,
                        0,
                        "row " + n / width + " sees no key: got " + (float) elements[n] + ", must be "
                                + (float) wanted[n]);
            }
        }
        Deviation deviation = Deviation.of(what, got, wanted, ofPlain.apply(plain(0)));
        int orders = oracle.logSumExp().length < MANY_ROWS ? ORDERS : 1;
        for (int order = 1; order < orders && !deviation.isAllowed(); order++) {
            Deviation other = Deviation.of(what, got, wanted, ofPlain.apply(plain(order)));
            deviation = other.plainError() > deviation.plainError() ? other : deviation;
        }
        return deviation;
    }
}
