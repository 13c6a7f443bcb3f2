package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.ParameterGradient;
import dev.attention4j.spi.ScoreTerms;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Plain float code for gradients: the loops of {@link ReferenceGradients} in float, from the output and log-sum-exp of {@link
 * PlainFloatAttention}, the output rounded to its storage. Sums over many rows or keys are of runs of {@value #RUN}.
 *
 * <p>Scores, and g·v, are summed in another order than those of the forward pass, and g·o: in the same order, roundings
 * would cancel that in no other code do.
 *
 * <p>Sinks, slopes and parameters are a few sums of very many numbers, whose error is a matter of luck. So they are summed
 * in double here, and {@code sizes} holds for each such gradient the sum of the sizes of all that it is a sum of.
 *
 * @param query row-major, as are the others, each in the shape of what it belongs to
 * @param sums the gradients that are sums over all rows, by name; {@code sinks}, {@code alibiSlopes} and parameters
 * @param sizes of each of these, the largest sum of the absolute values of its terms
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of results; they are never compared.
public record PlainFloatGradients(
        float[] query,
        float[] key,
        float[] value,
        float[] bias,
        Map<String, double[]> sums,
        Map<String, Double> sizes) {
    private static final int RUN = 64;

    /**
     * Computes the gradients of a call with other roundings for each order from 0 on: sums over the head dims start elsewhere, and
     * after the first order log-sum-exps are as much off as those of a right result may be.
     */
    public static PlainFloatGradients compute(GradientCall call, int order) {
        int firstDim = order * call.problem().headDim() / Yardstick.ORDERS;
        AttentionProblem problem = call.problem();
        float[] q = call.query().toFloatArray();
        float[] k = call.key().toFloatArray();
        float[] v = call.value().toFloatArray();
        float[] g = call.outputGradient().toFloatArray();
        PlainFloatAttention forward =
                PlainFloatAttention.compute(problem, call.query(), call.key(), call.value(), firstDim);
        float[] output = Tensor.of(forward.output(), problem.outputShape())
                .to(problem.dtype())
                .toFloatArray();
        int rows = forward.logSumExp().length;
        float[] h = call.options().logSumExpGradient().map(Tensor::toFloatArray).orElse(new float[rows]);
        ScoreTerms terms = new ScoreTerms(problem);
        boolean changes = terms.changesScores();
        ScoreTerms slopes = changes ? new ScoreTerms(call.derivative()) : terms;
        float scale = (float) problem.scale();
        float factor = (float) terms.keptFactor();
        float softcap = (float) problem.attention().softcap().orElse(Double.POSITIVE_INFINITY);
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        int[] biasStrides = GradientCall.biasStrides(problem);
        float[] dq = new float[q.length];
        float[] dk = new float[k.length];
        float[] dv = new float[v.length];
        float[] dkRun = new float[lk * dim];
        float[] dvRun = new float[lk * valueDim];
        double[] bias = new double
                [call.options().bias()
                        ? Math.toIntExact(
                                problem.attention().bias().orElseThrow().elementCount())
                        : 0];
        Sums sinks = new Sums(call.options().sinks() ? problem.queryHeads() : 0);
        Sums alibi = new Sums(call.options().alibiSlopes() ? problem.attention().alibiSlopes().length : 0);
        Map<String, ParameterGradient> parameters = new LinkedHashMap<>();
        Map<String, ParameterGradient> sizes = new LinkedHashMap<>();
        for (String name : call.options().parameters()) {
            parameters.put(name, new ParameterGradient(problem, name));
            sizes.put(name, new ParameterGradient(problem, name));
        }

        for (int row = 0; row < rows; row++) {
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            float logSumExp = forward.logSumExp()[row];
            if (order > 0) {
                float off = Math.max(Math.ulp(logSumExp), (float) (Deviation.ALLOWANCE / Deviation.MOST_UNITS));
                logSumExp += order % 2 == 0 ? off : -off;
            }
            if (logSumExp != Float.NEGATIVE_INFINITY) {
                KeyRange range = problem.keyRange(batch, i);
                int seen = range.count();
                double[] added = terms.read(batch, head, i, range);
                float[] capped = new float[seen];
                for (int n = 0; n < seen; n++) {
                    float dot = 0;
                    for (int c = 0; c < dim && added[n] != Double.NEGATIVE_INFINITY; c++) {
                        int at = (c + firstDim + dim / 2) % dim;
                        dot += q[row * dim + at] * k[(slice * lk + range.begin() + n) * dim + at];
                    }
                    capped[n] = scale * dot;
                }
                terms.cap(capped, 0, seen);
                float[] scores = capped.clone();
                terms.change(batch, head, i, range, range.begin(), seen, scores);
                float[] slope = capped.clone();
                slopes.change(batch, head, i, range, range.begin(), seen, slope);
                float rest = h[row];
                double restSize = Math.abs(h[row]);
                for (int c = 0; c < valueDim; c++) {
                    float product = g[row * valueDim + c] * output[row * valueDim + c];
                    rest -= product;
                    restSize += Math.abs(product);
                }
                boolean[] kept = terms.kept(batch, head, i, range.begin(), seen);
                double[] ds = new double[seen];
                double[] dsSize = new double[seen];
                float[] dqRun = new float[dim];
                for (int n = 0; n < seen; n++) {
                    if (n % RUN == 0) {
                        addRun(dqRun, dq, row * dim);
                    }
                    if (added[n] == Double.NEGATIVE_INFINITY || scores[n] == Float.NEGATIVE_INFINITY) {
                        continue;
                    }
                    int j = range.begin() + n;
                    int keyRow = slice * lk + j;
                    float weight = (float) Math.exp(scores[n] + (float) added[n] - logSumExp);
                    float dp = 0;
                    double dpSize = 0;
                    for (int c = 0; c < valueDim && kept[n]; c++) {
                        int at = (c + firstDim + valueDim / 2) % valueDim;
                        dvRun[j * valueDim + at] += weight * factor * g[row * valueDim + at];
                        float product = factor * g[row * valueDim + at] * v[keyRow * valueDim + at];
                        dp += product;
                        dpSize += Math.abs(product);
                    }
                    ds[n] = weight * (dp + rest);
                    dsSize[n] = weight * (dpSize + restSize);
                    float dx = scale * (float) ds[n] * (changes ? slope[n] : 1);
                    dx *= 1 - capped[n] / softcap * (capped[n] / softcap);
                    for (int c = 0; c < dim; c++) {
                        dqRun[c] += dx * k[keyRow * dim + c];
                        dkRun[j * dim + c] += dx * q[row * dim + c];
                    }
                    if (bias.length > 0) {
                        bias[
                                        batch * biasStrides[0]
                                                + head * biasStrides[1]
                                                + i * biasStrides[2]
                                                + j * biasStrides[3]] +=
                                ds[n];
                    }
                    if (alibi.sums.length > 0) {
                        double distance = Math.abs((double) range.position() - j);
                        alibi.add(
                                GradientCall.slope(problem, range.sequence(), head),
                                -ds[n] * distance,
                                dsSize[n] * distance);
                    }
                }
                addRun(dqRun, dq, row * dim);
                double[] inDouble = new double[seen];
                Arrays.setAll(inDouble, n -> capped[n]);
                parameters.values().forEach(sums -> sums.add(batch, head, i, range, range.begin(), seen, inDouble, ds));
                sizes.values().forEach(sums -> sums.add(batch, head, i, range, range.begin(), seen, inDouble, dsSize));
                float sink = problem.sink(head);
                if (call.options().sinks() && sink > Float.NEGATIVE_INFINITY) {
                    float weight = (float) Math.exp(sink - logSumExp);
                    sinks.add(head, weight * rest, weight * restSize);
                }
            }
            // A run ends with each key/value head, and after so many rows.
            boolean last = i == lq - 1 && (head + 1) % (problem.queryHeads() / problem.keyValueHeads()) == 0;
            if (last || row % RUN == RUN - 1) {
                addRun(dkRun, dk, slice * lk * dim);
                addRun(dvRun, dv, slice * lk * valueDim);
            }
        }
        float[] biasSums = new float[bias.length];
        for (int n = 0; n < bias.length; n++) {
            biasSums[n] = (float) bias[n];
        }
        Map<String, double[]> sums = new LinkedHashMap<>();
        Map<String, Double> largest = new LinkedHashMap<>();
        sums.put("sinks", sinks.sums);
        largest.put("sinks", largest(sinks.sizes));
        sums.put("alibiSlopes", alibi.sums);
        largest.put("alibiSlopes", largest(alibi.sizes));
        parameters.forEach((name, of) -> sums.put(name, of.sums()));
        sizes.forEach((name, of) -> largest.put(name, largest(of.sizes())));
        return new PlainFloatGradients(dq, dk, dv, biasSums, sums, largest);
    }

    private static double largest(double... sizes) {
        return Arrays.stream(sizes).filter(Double::isFinite).max().orElse(0);
    }

    /** Adds a run to its total, and begins another. */
    private static void addRun(float[] run, float[] total, int at) {
        for (int n = 0; n < run.length; n++) {
            total[at + n] += run[n];
            run[n] = 0;
        }
    }

    private record Sums(double[] sums, double[] sizes) {
        Sums(int count) {
            this(new double[count], new double[count]);
        }

        void add(int at, double term, double size) {
            sums[at] += term;
            sizes[at] += size;
        }
    }
}
