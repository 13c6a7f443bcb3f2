package dev.attention4j;

/**
 * A call that remembers what its gradients need: query, key, value and operation, and the result with its log-sum-exp. {@link
 * AttentionEngine#attendForGradients} makes one.
 *
 * <p>The caller's tensors must stay open and unchanged until the gradients are computed. Closing this closes the result.
 */
public final class AttentionTape implements AutoCloseable {
    private final AttentionEngine engine;
    private final Tensor query;
    private final Tensor key;
    private final Tensor value;
    private final Attention attention;
    private final AttentionResult result;

    AttentionTape(AttentionEngine engine, Tensor query, Tensor key, Tensor value, Attention attention) {
        this.engine = engine;
        this.query = query;
        this.key = key;
        this.value = value;
        this.attention = attention;
        result = engine.attend(
                query,
                key,
                value,
                attention.wantsLogSumExp()
                        ? attention
                        : attention.toBuilder().logSumExp(true).build());
    }

    /** {@return the result of the call, with its log-sum-exp} */
    public AttentionResult result() {
        return result;
    }

    /** {@return [batch, queryHeads, queryLength, valueDim], the output of the call} */
    public Tensor output() {
        return result.output();
    }

    /**
     * Computes the gradients of query, key and value, as {@link AttentionEngine#gradients(Tensor, Tensor, Tensor, Attention,
     * AttentionResult, Tensor)}.
     *
     * @param outputGradient the derivative of the caller's function by each element of the output, of the output's shape
     */
    public AttentionGradients gradients(Tensor outputGradient) {
        return gradients(outputGradient, GradientOptions.DEFAULT);
    }

    /** Computes these gradients and those that the options ask for. */
    public AttentionGradients gradients(Tensor outputGradient, GradientOptions options) {
        return engine.gradients(query, key, value, attention, result, outputGradient, options);
    }

    @Override
    public void close() {
        result.close();
    }

    @Override
    public String toString() {
        return "AttentionTape[" + attention + ", " + result + "]";
    }
}
