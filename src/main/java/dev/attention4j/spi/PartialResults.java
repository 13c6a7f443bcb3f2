package dev.attention4j.spi;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.List;

/** Checks the parts of {@link AttentionEngine#merge}, and merges them in Java. */
public final class PartialResults {
    /** The plan that a merged result names. */
    public static final String PLAN = "merge";

    private PartialResults() {}

    /** Refuses results that do not belong to the same queries, or do not say what they weigh. */
    public static void check(List<AttentionResult> parts) {
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("parts: none, must be one or more results");
        }
        long[] shape = parts.get(0).output().shape();
        for (int n = 0; n < parts.size(); n++) {
            String name = "parts[" + n + "]";
            Tensor output = parts.get(n).output();
            Tensor logSumExp = parts.get(n).logSumExp();
            TensorChecks.open(name, output);
            TensorChecks.open(name, logSumExp);
            output.dtype().checkAttentionStorage(name + " output");
            if (output.rank() != 4 || !Arrays.equals(output.shape(), shape)) {
                throw new IllegalArgumentException(name + ": output of shape " + Arrays.toString(output.shape())
                        + ", must be [batch, heads, queries, valueDim]"
                        + (n == 0 ? "" : ", " + Arrays.toString(shape) + " as the first part's"));
            }
            long[] rows = Arrays.copyOf(shape, 3);
            if (logSumExp.dtype() != DType.FLOAT32 || !Arrays.equals(logSumExp.shape(), rows)) {
                throw new IllegalArgumentException(name + ": log-sum-exp " + logSumExp + ", must be FLOAT32 of shape "
                        + Arrays.toString(rows) + " as its output has");
            }
        }
    }

    /** Merges results that {@link #check} let pass and that are on the host. */
    public static AttentionResult merge(List<AttentionResult> parts) {
        Tensor first = parts.get(0).output();
        int width = (int) first.size(3);
        int rows = Math.toIntExact(first.size(0) * first.size(1) * first.size(2));
        float[][] outputs = new float[parts.size()][];
        float[][] logSumExps = new float[parts.size()][];
        for (int n = 0; n < outputs.length; n++) {
            outputs[n] = parts.get(n).output().toFloatArray();
            logSumExps[n] = parts.get(n).logSumExp().toFloatArray();
        }
        float[] output = new float[rows * width];
        float[] logSumExp = new float[rows];
        double[] mean = new double[width];
        for (int row = 0; row < rows; row++) {
            double largest = Double.NEGATIVE_INFINITY;
            for (float[] of : logSumExps) {
                largest = Math.max(largest, of[row]);
            }
            double sum = 0;
            Arrays.fill(mean, 0);
            for (int n = 0; n < outputs.length; n++) {
                // A part without keys for the row may hold anything there: it is skipped, not multiplied by 0.
                if (logSumExps[n][row] != Float.NEGATIVE_INFINITY) {
                    double weight = Math.exp(logSumExps[n][row] - largest);
                    sum += weight;
                    for (int dim = 0; dim < width; dim++) {
                        mean[dim] += weight * outputs[n][row * width + dim];
                    }
                }
            }
            for (int dim = 0; dim < width; dim++) {
                output[row * width + dim] = sum == 0 ? 0 : (float) (mean[dim] / sum);
            }
            logSumExp[row] = (float) (largest + (sum == 0 ? 0 : Math.log(sum)));
        }
        return new AttentionResult(
                Tensor.of(output, first.shape()).to(first.dtype()),
                null,
                Tensor.of(logSumExp, Arrays.copyOf(first.shape(), 3)),
                PLAN);
    }
}
