package dev.attention4j.cli.minilm;

/** The error function, 2/√π times the integral of exp(−t²) from 0. */
final class Erf {
    /** From here on it is 1 in double precision. */
    private static final double ONE_FROM = 5.9;

    private Erf() {}

    /** Returns erf(x), by 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ⋯ (2n + 1)), whose terms have one sign. */
    static double value(double x) {
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
}
