package dev.attention4j;

/**
 * The result of a call: the output, and weights and log-sum-exp if they were asked for.
 *
 * <p>Results are where the query was: on the host for a host query, on the device for a query on a device. Closing the
 * result closes its tensors.
 */
public final class AttentionResult implements AutoCloseable {
    private final Tensor output;
    private final Tensor weights;
    private final Tensor logSumExp;
    private final String plan;

    /**
     * Makes a result; for those who write engines.
     *
     * @param output [batch, heads, queryLength, valueDim]
     * @param weights [batch, heads, queryLength, keyLength], or null
     * @param logSumExp [batch, heads, queryLength], or null
     * @param plan the name of the plan that computed it
     */
    public AttentionResult(Tensor output, Tensor weights, Tensor logSumExp, String plan) {
        this.output = output;
        this.weights = weights;
        this.logSumExp = logSumExp;
        this.plan = plan;
    }

    /** {@return the values, summed by the weights: [batch, heads, queryLength, valueDim] in the query's type} */
    public Tensor output() {
        return output;
    }

    /**
     * Returns the softmax's weights. Each row sums to 1 (less the weight of its head's sink), or is 0 if no key may be
     * attended to.
     *
     * @return [batch, heads, queryLength, keyLength], float32
     * @throws IllegalStateException if they were not asked for
     */
    public Tensor weights() {
        return asked(weights, "weights");
    }

    /**
     * Returns the natural logarithm of the sum of the exponentials of each row's scores, after everything that changes a score.
     *
     * @return [batch, heads, queryLength], float32; −∞ if no key may be attended to
     * @throws IllegalStateException if it was not asked for
     */
    public Tensor logSumExp() {
        return asked(logSumExp, "logSumExp");
    }

    /** {@return the plan that computed this: one of {@link AttentionEngine#plans()}} */
    public String plan() {
        return plan;
    }

    @Override
    public void close() {
        output.close();
        if (weights != null) {
            weights.close();
        }
        if (logSumExp != null) {
            logSumExp.close();
        }
    }

    @Override
    public String toString() {
        return "AttentionResult[plan=" + plan + ", output=" + output
                + (weights == null ? "" : ", weights=" + weights)
                + (logSumExp == null ? "" : ", logSumExp=" + logSumExp) + "]";
    }

    private static Tensor asked(Tensor tensor, String option) {
        if (tensor == null) {
            throw new IllegalStateException(
                    option + ": not asked for; Attention.builder()." + option + "(true) asks for it");
        }
        return tensor;
    }
}
