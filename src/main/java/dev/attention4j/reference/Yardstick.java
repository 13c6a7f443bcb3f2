package dev.attention4j.reference;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The rule by which an engine is right. Its largest error against the oracle is at most twice that of plain float code on
 * the same problem, plus 10⁻⁶. NaN and infinities are where the oracle has them and nowhere else. A query with no key to
 * attend to gives exactly 0.
 *
 * <p>Computes oracle and plain float code once, for the results of any number of engines.
 */
public final class Yardstick {
    private final AttentionProblem problem;
    private final ReferenceAttention oracle;
    private final PlainFloatAttention plain;

    private Yardstick(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        this.problem = problem;
        oracle = ReferenceAttention.compute(problem, query, key, value);
        plain = PlainFloatAttention.compute(problem, query, key, value);
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
                "output", result.output(), problem.dtype(), oracle.output(), plain.output(), problem.outputShape()));
        if (asked.wantsWeights() && !ReferenceAttention.keepsWeights(problem)) {
            throw new IllegalArgumentException("asked: wants weights, must not: the problem was computed without them,"
                    + " because they are more than " + ReferenceAttention.MOST_UNASKED);
        }
        if (asked.wantsWeights()) {
            long[] shape = problem.weightsShape();
            deviations.add(
                    measure("weights", result.weights(), DType.FLOAT32, oracle.weights(), plain.weights(), shape));
        }
        if (asked.wantsLogSumExp()) {
            long[] shape = problem.logSumExpShape();
            deviations.add(measure(
                    "log-sum-exp", result.logSumExp(), DType.FLOAT32, oracle.logSumExp(), plain.logSumExp(), shape));
        }
        return deviations;
    }

    private Deviation measure(String what, Tensor got, DType dtype, double[] wanted, float[] ofPlain, long... shape) {
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
        return Deviation.of(what, got, wanted, ofPlain);
    }
}
