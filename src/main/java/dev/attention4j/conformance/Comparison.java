package dev.attention4j.conformance;

import dev.attention4j.Tensor;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.reference.Deviation;
import java.util.Arrays;
import java.util.Locale;

/**
 * One output against what is wanted.
 *
 * @param passed whether type and shape are as wanted and every element is within the tolerance
 * @param maxError the largest |got − want|, infinite where one is not finite and the other differs; NaN for a wrong
 *     type or shape
 * @param detail of a failure: how many elements, and the worst; else empty
 */
record Comparison(boolean passed, double maxError, String detail) {
    static Comparison of(String output, Tensor got, Expected expected) {
        Tensor want = expected.want();
        Tolerance tolerance = expected.tolerance();
        if (got.dtype() != expected.dtype()) {
            return new Comparison(
                    false, Double.NaN, output + ": got type " + got.dtype() + ", want " + expected.dtype());
        }
        if (!Arrays.equals(got.shape(), want.shape())) {
            return new Comparison(
                    false,
                    Double.NaN,
                    output + ": got shape " + Arrays.toString(got.shape()) + ", want " + Arrays.toString(want.shape()));
        }
        double[] gotElements = got.toDoubleArray();
        double[] wantElements = want.toDoubleArray();
        double maxError = 0;
        int wrong = 0;
        int worst = -1;
        double worstExcess = -1;
        for (int n = 0; n < gotElements.length; n++) {
            double error = error(gotElements[n], wantElements[n]);
            maxError = Math.max(maxError, error);
            if (tolerance.allows(gotElements[n], wantElements[n])) {
                continue;
            }
            wrong++;
            double excess = error / tolerance.limit(Double.isFinite(wantElements[n]) ? wantElements[n] : 0);
            if (excess > worstExcess) {
                worstExcess = excess;
                worst = n;
            }
        }
        if (wrong == 0) {
            return new Comparison(true, maxError, "");
        }
        String detail = String.format(
                Locale.ROOT,
                "%s: %d of %d elements wrong, worst at %s: got %s, want %s (allowed: %s + %s * |want|)",
                output,
                wrong,
                gotElements.length,
                Arrays.toString(Deviation.index(worst, got.shape())),
                shown(gotElements[worst], got),
                shown(wantElements[worst], want),
                tolerance.absolute(),
                tolerance.relative());
        return new Comparison(false, maxError, detail);
    }

    private static double error(double got, double want) {
        if (Double.isFinite(got) && Double.isFinite(want)) {
            return Math.abs(got - want);
        }
        return Double.compare(got, want) == 0 ? 0 : Double.POSITIVE_INFINITY;
    }

    private static String shown(double element, Tensor tensor) {
        return tensor.dtype().bytes() == Double.BYTES ? Double.toString(element) : Float.toString((float) element);
    }
}
