package dev.attention4j.layers;

import dev.attention4j.Tensor;

/**
 * The result of a call of a layer: the output, and the scores if they were asked for. They are where the query was. Closing
 * the result closes its tensors.
 */
public final class LayerResult implements AutoCloseable {
    private final Tensor output;
    private final Tensor scores;
    private final String plan;

    LayerResult(Tensor output, Tensor scores, String plan) {
        this.output = output;
        this.scores = scores;
        this.plan = plan;
    }

    /**
     * {@return the output: [batch, queryLength, features] in the query's type, or with more axes of positions or of
     * features}
     */
    public Tensor output() {
        return output;
    }

    /**
     * Returns the softmax's weights. Each row sums to 1, or is 0 where no key may be attended to.
     *
     * @return [batch, heads, queryLength, keyLength], float32; with several attention axes, each length is as many
     *     axes, and axes that are not attended over come after batch
     * @throws IllegalStateException if they were not asked for
     */
    public Tensor scores() {
        if (scores == null) {
            throw new IllegalStateException(
                    "scores were not asked for; AttentionInputs.builder().scores(true) asks for them");
        }
        return scores;
    }

    /**
     * {@return the plan that computed the attention: one of {@link
     * dev.attention4j.AttentionEngine#plans()}}
     */
    public String plan() {
        return plan;
    }

    @Override
    public String toString() {
        return "LayerResult[plan=" + plan + ", output=" + output + (scores == null ? "" : ", scores=" + scores) + "]";
    }

    @Override
    public void close() {
        output.close();
        if (scores != null) {
            scores.close();
        }
    }
}
