package dev.attention4j.reference;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.ParameterGradient;
import dev.attention4j.spi.ScoreTerms;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The gradients of attention in double precision, by plain loops.
 *
 * <p>For a query row i, with scores s_j, weights p_j = e^(s_j − L), log-sum-exp L and output o = Σ_j p_j v_j, let g be the
 * gradient of o and h that of L. Since ∂p_j/∂s_k = p_j (δ_jk − p_k) and ∂L/∂s_j = p_j, the gradient of a score is
 *
 * <pre>
 *   ds_j = Σ_k (g·v_k) ∂p_k/∂s_j + h p_j = p_j (g·v_j − g·o + h)
 * </pre>
 *
 * <p>A sink is a score without a value: ds_sink = e^(sink − L) (0 − g·o + h). The score is s = f(c) − slope·|distance| + bias with
 * c = softcap(x), x = scale·q·k_j, and a score expression f, which is c without one. So
 *
 * <pre>
 *   d bias  = Σ ds                 over what the bias is repeated for
 *   d slope = −Σ ds |distance|
 *   d θ     = Σ ds ∂f/∂θ           for each parameter θ of f
 *   dx      = ds f'(c) (1 − (c / cap)²)
 *   d q_i   = scale Σ_j dx_ij k_j
 *   d k_j   = scale Σ_i dx_ij q_i  over the queries of all heads that share the key/value head
 *   d v_j   = Σ_i p_ij g_i         likewise
 * </pre>
 *
 * <p>With dropout o = Σ_j m_j p_j v_j, where m_j is 0 for a dropped weight and else 1 / (1 − rate): m_j (g·v_j) takes the place of
 * g·v_j, and d v_j = Σ_i m_ij p_ij g_i.
 *
 * <p>What is masked has p_j = 0 and is left out, whatever it holds; so is a row with no key.
 *
 * @param query row-major, as are the others, each in the shape of what it belongs to
 * @param bias empty if not wanted, as are the others after it
 * @param parameters of the score expression, by name
 */
@SuppressWarnings("ArrayRecordComponent") // A bundle of results; they are never compared.
public record ReferenceGradients(
        double[] query,
        double[] key,
        double[] value,
        double[] bias,
        double[] sinks,
        double[] alibiSlopes,
        Map<String, double[]> parameters) {
    /** Computes the gradients of a call from its inputs; output and log-sum-exp are computed anew. */
    public static ReferenceGradients compute(GradientCall call) {
        AttentionProblem problem = call.problem();
        double[] q = call.query().toDoubleArray();
        double[] k = call.key().toDoubleArray();
        double[] v = call.value().toDoubleArray();
        double[] g = call.outputGradient().toDoubleArray();
        ReferenceAttention forward = ReferenceAttention.compute(problem, call.query(), call.key(), call.value());
        int rows = forward.logSumExp().length;
        double[] h = call.options().logSumExpGradient().isPresent()
                ? call.options().logSumExpGradient().get().toDoubleArray()
                : new double[rows];
        ScoreTerms terms = new ScoreTerms(problem);
        boolean changes = terms.changesScores();
        ScoreTerms slopes = changes ? new ScoreTerms(call.derivative()) : terms;
        double scale = problem.scale();
        double factor = terms.keptFactor();
        double softcap = problem.attention().softcap().orElse(Double.POSITIVE_INFINITY);
        int lq = problem.queryLength();
        int lk = problem.keyLength();
        int dim = problem.headDim();
        int valueDim = problem.valueDim();
        boolean wantsSlopes = call.options().alibiSlopes();
        int[] biasStrides = GradientCall.biasStrides(problem);
        ReferenceGradients d = zeros(call, q.length, k.length, v.length);
        Map<String, ParameterGradient> parameters = new LinkedHashMap<>();
        for (String name : call.options().parameters()) {
            parameters.put(name, new ParameterGradient(problem, name));
        }

        for (int row = 0; row < rows; row++) {
            double logSumExp = forward.logSumExp()[row];
            if (logSumExp == Double.NEGATIVE_INFINITY) {
                continue;
            }
            int i = row % lq;
            int head = row / lq % problem.queryHeads();
            int batch = row / lq / problem.queryHeads();
            int slice = batch * problem.keyValueHeads() + problem.keyValueHead(head);
            KeyRange range = problem.keyRange(batch, i);
            int seen = range.count();
            double[] added = terms.read(batch, head, i, range);
            double[] capped = new double[seen];
            for (int n = 0; n < seen; n++) {
                double dot = 0;
                for (int c = 0; c < dim && added[n] != Double.NEGATIVE_INFINITY; c++) {
                    dot += q[row * dim + c] * k[(slice * lk + range.begin() + n) * dim + c];
                }
                capped[n] = terms.capped(scale * dot);
            }
            double[] scores = capped.clone();
            terms.change(batch, head, i, range, scores);
            double[] slope = capped.clone();
            slopes.change(batch, head, i, range, slope);
            double rest = h[row];
            for (int c = 0; c < valueDim; c++) {
                rest -= g[row * valueDim + c] * forward.output()[row * valueDim + c];
            }
            boolean[] kept = terms.kept(batch, head, i, range.begin(), seen);
            double[] ds = new double[seen];
            for (int n = 0; n < seen; n++) {
                if (added[n] == Double.NEGATIVE_INFINITY || scores[n] == Double.NEGATIVE_INFINITY) {
                    continue;
                }
                int j = range.begin() + n;
                int keyRow = slice * lk + j;
                double weight = Math.exp(scores[n] + added[n] - logSumExp);
                double dp = 0;
                for (int c = 0; c < valueDim && kept[n]; c++) {
                    d.value[keyRow * valueDim + c] += weight * factor * g[row * valueDim + c];
                    dp += factor * g[row * valueDim + c] * v[keyRow * valueDim + c];
                }
                ds[n] = weight * (dp + rest);
                double dx =
                        scale * ds[n] * (changes ? slope[n] : 1) * (1 - capped[n] / softcap * (capped[n] / softcap));
                for (int c = 0; c < dim; c++) {
                    d.query[row * dim + c] += dx * k[keyRow * dim + c];
                    d.key[keyRow * dim + c] += dx * q[row * dim + c];
                }
                if (call.options().bias()) {
                    d.bias[batch * biasStrides[0] + head * biasStrides[1] + i * biasStrides[2] + j * biasStrides[3]] +=
                            ds[n];
                }
                if (wantsSlopes) {
                    d.alibiSlopes[GradientCall.slope(problem, range.sequence(), head)] -=
                            ds[n] * Math.abs((double) range.position() - j);
                }
            }
            parameters.values().forEach(sums -> sums.add(batch, head, i, range, range.begin(), seen, capped, ds));
            double sink = problem.sink(head);
            if (call.options().sinks() && sink > Double.NEGATIVE_INFINITY) {
                d.sinks[head] += Math.exp(sink - logSumExp) * rest;
            }
        }
        parameters.forEach((name, sums) -> d.parameters.put(name, sums.sums()));
        return d;
    }

    private static ReferenceGradients zeros(GradientCall call, int queries, int keys, int values) {
        AttentionProblem problem = call.problem();
        return new ReferenceGradients(
                new double[queries],
                new double[keys],
                new double[values],
                new double
                        [call.options().bias()
                                ? Math.toIntExact(
                                        problem.attention().bias().orElseThrow().elementCount())
                                : 0],
                new double[call.options().sinks() ? problem.queryHeads() : 0],
                new double[call.options().alibiSlopes() ? problem.attention().alibiSlopes().length : 0],
                new LinkedHashMap<>());
    }
}
