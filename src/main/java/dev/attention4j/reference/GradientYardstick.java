package dev.attention4j.reference;

import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * The rule of the {@link Yardstick} for gradients. A query with no key to attend to has a gradient of exactly 0, as have keys and
 * values that no query attends to.
 *
 * <p>Sinks, slopes and parameters have a few sums of very many numbers: there plain float code counts as no more exact than the
 * rounding of each number allows.
 */
public final class GradientYardstick {
    /** The rounding of a float, and of what it was computed from. */
    private static final double ROUNDING = 0x1p-22;

    private final GradientCall call;
    private final ReferenceGradients oracle;
    private final double[] logSumExp;
    private final List<PlainFloatGradients> plain = new ArrayList<>();

    /** Computes oracle and plain float code of a call whose tensors are on the host, for any number of results. */
    public GradientYardstick(GradientCall call) {
        this.call = call;
        oracle = ReferenceGradients.compute(call);
        logSumExp = ReferenceAttention.compute(call.problem(), call.query(), call.key(), call.value())
                .logSumExp();
    }

    private PlainFloatGradients plain(int order) {
        while (plain.size() <= order) {
            plain.add(PlainFloatGradients.compute(call, plain.size()));
        }
        return plain.get(order);
    }

    /** Measures all gradients that were asked for. A wrong type or shape is an error of NaN. */
    public List<Deviation> measure(AttentionGradients got) {
        List<Deviation> deviations = new ArrayList<>();
        AttentionProblem problem = call.problem();
        boolean[] queries = new boolean[logSumExp.length];
        for (int row = 0; row < queries.length; row++) {
            queries[row] = logSumExp[row] == Double.NEGATIVE_INFINITY;
        }
        // A key whose every weight is dropped has no value that counts, but a score.
        boolean[] values = new boolean[problem.batch() * problem.keyValueHeads() * problem.keyLength()];
        boolean[] keys = new boolean[values.length];
        for (int row = 0; row < keys.length; row++) {
            values[row] = isZero(oracle.value(), row, problem.valueDim());
            keys[row] = values[row] && isZero(oracle.key(), row, problem.headDim());
        }
        deviations.add(
                measure("query", got.query(), call.query(), oracle.query(), PlainFloatGradients::query, queries));
        deviations.add(measure("key", got.key(), call.key(), oracle.key(), PlainFloatGradients::key, keys));
        deviations.add(measure("value", got.value(), call.value(), oracle.value(), PlainFloatGradients::value, values));
        if (call.options().bias()) {
            Tensor bias = problem.attention().bias().orElseThrow();
            deviations.add(measure("bias", got.bias(), bias, oracle.bias(), PlainFloatGradients::bias, new boolean[0]));
        }
        if (call.options().sinks()) {
            deviations.add(ofSums("sinks", got.sinks(), oracle.sinks()));
        }
        if (call.options().alibiSlopes()) {
            deviations.add(ofSums("alibiSlopes", got.alibiSlopes(), oracle.alibiSlopes()));
        }
        for (String name : call.options().parameters()) {
            deviations.add(ofSums(name, got.parameter(name), oracle.parameters().get(name)));
        }
        return deviations;
    }

    private static boolean isZero(double[] gradients, int row, int width) {
        return Arrays.stream(gradients, row * width, (row + 1) * width).allMatch(element -> element == 0);
    }

    private Deviation measure(
            String what,
            Tensor got,
            Tensor like,
            double[] wanted,
            Function<PlainFloatGradients, float[]> ofPlain,
            boolean[] zeroRows) {
        if (got.dtype() != DType.FLOAT32 || !Arrays.equals(got.shape(), like.shape())) {
            return new Deviation(
                    what, Double.NaN, 0, "got " + got + ", must be FLOAT32 " + Arrays.toString(like.shape()));
        }
        float[] elements = got.toFloatArray();
        int width = zeroRows.length == 0 ? 0 : elements.length / zeroRows.length;
        for (int n = 0; width > 0 && n < elements.length; n++) {
            if (zeroRows[n / width] && elements[n] != 0) {
                return new Deviation(
                        what,
                        Double.POSITIVE_INFINITY,
                        0,
                        "row " + n / width + " takes part in nothing: got " + elements[n] + ", must be 0");
            }
        }
        Deviation deviation = Deviation.of(what, got, wanted, ofPlain.apply(plain(0)));
        for (int order = 1; order < Yardstick.ORDERS && !deviation.isAllowed(); order++) {
            Deviation other = Deviation.of(what, got, wanted, ofPlain.apply(plain(order)));
            deviation = other.plainError() > deviation.plainError() ? other : deviation;
        }
        return deviation;
    }

    private Deviation ofSums(String what, Tensor got, double[] wanted) {
        double[] sums = plain(0).sums().get(what);
        float[] rounded = new float[sums.length];
        for (int n = 0; n < sums.length; n++) {
            rounded[n] = (float) sums[n];
        }
        Deviation deviation = Deviation.of(what, got, wanted, rounded);
        double least = ROUNDING * plain(0).sizes().get(what);
        return new Deviation(what, deviation.error(), Math.max(deviation.plainError(), least), deviation.worst());
    }
}
