package dev.attention4j.cli.minilm;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import java.util.List;

/** The layer's second half: each position by itself is made four times wider, bent, and made narrow again. */
final class FeedForward implements AutoCloseable {
    /** From here on the error function is 1 in double precision. */
    private static final double ONE_FROM = 5.9;

    private final AttentionEngine engine;
    private final Projector projector;
    private final Projection widen;
    private final Projection narrow;

    /**
     * Reads the weights, and brings them to where the engine projects; plain Java does where it does not.
     *
     * @param layer the layer's name in the model
     */
    FeedForward(OnnxWeights weights, String layer, AttentionEngine engine) {
        this.engine = engine;
        projector = engine.projector();
        widen = projection(weights, layer + ".intermediate.dense");
        narrow = projection(weights, layer + ".output.dense");
    }

    /** A linear module is a projection into one head. */
    private Projection projection(OnnxWeights weights, String module) {
        Tensor kernel = weights.tensor(module + ".kernel");
        Tensor bias = weights.tensor(module + ".bias");
        return projector.prepare(kernel.reshape(kernel.size(0), 1, kernel.size(1)), bias.reshape(1, bias.size(0)));
    }

    /**
     * Computes it.
     *
     * @param hidden [batch, length, width] on the host
     */
    Tensor apply(Tensor hidden) {
        try (Tensor wide = project(hidden, widen)) {
            return project(Rows.change(wide, (number, row) -> gelu(row)), narrow);
        }
    }

    private Tensor project(Tensor rows, Projection projection) {
        try (Tensor projected = projector.toHeads(rows, List.of(projection)).get(0)) {
            return engine.download(projected).reshape(rows.size(0), rows.size(1), projected.size(-1));
        }
    }

    /** x · Φ(x), with Φ the normal distribution (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016). */
    private static void gelu(float[] row) {
        for (int n = 0; n < row.length; n++) {
            row[n] *= (float) (0.5 * (1 + erf(row[n] * Math.sqrt(0.5))));
        }
    }

    /** The error function, by 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ⋯ (2n + 1)), whose terms have one sign. */
    static double erf(double x) {
        if (Math.abs(x) >= ONE_FROM) {
            return Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    @Override
    public void close() {
        widen.close();
        narrow.close();
    }
}
