package dev.attention4j;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The gradients of a call: of query, key and value, and those that {@link GradientOptions} asked for.
 *
 * <p>They are where the query was, and FLOAT32 whatever the types of what they belong to: a small gradient does not underflow, as
 * it would in FLOAT16. Closing this closes its tensors.
 */
public final class AttentionGradients implements AutoCloseable {
    private final Tensor query;
    private final Tensor key;
    private final Tensor value;
    private final Tensor bias;
    private final Tensor sinks;
    private final Tensor alibiSlopes;
    private final Map<String, Tensor> parameters;
    private final String plan;

    /**
     * Makes gradients; for those who write engines.
     *
     * @param query of the query's shape
     * @param key of the key's shape
     * @param value of the value's shape
     * @param bias of the bias's shape, or null
     * @param sinks [queryHeads], or null
     * @param alibiSlopes as many as there are slopes, or null
     * @param parameters of the score expression, by name, each of the parameter's shape
     * @param plan the name of the plan that computed them
     */
    public AttentionGradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Tensor bias,
            Tensor sinks,
            Tensor alibiSlopes,
            Map<String, Tensor> parameters,
            String plan) {
        this.query = query;
        this.key = key;
        this.value = value;
        this.bias = bias;
        this.sinks = sinks;
        this.alibiSlopes = alibiSlopes;
        this.parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        this.plan = plan;
    }

    /** {@return [batch, queryHeads, queryLength, headDim]} */
    public Tensor query() {
        return query;
    }

    /** {@return [batch, keyValueHeads, keyLength, headDim], summed over the query heads that share a key/value head} */
    public Tensor key() {
        return key;
    }

    /** {@return [batch, keyValueHeads, keyLength, valueDim], summed over the query heads that share a key/value head} */
    public Tensor value() {
        return value;
    }

    /**
     * Returns the gradient of the bias.
     *
     * @return of the bias's shape, summed over the axes that are broadcast
     * @throws IllegalStateException if it was not asked for
     */
    public Tensor bias() {
        return asked(bias, "bias", "withBias()");
    }

    /**
     * Returns the gradient of the sinks.
     *
     * @return [queryHeads]
     * @throws IllegalStateException if it was not asked for
     */
    public Tensor sinks() {
        return asked(sinks, "sinks", "withSinks()");
    }

    /**
     * Returns the gradient of the ALiBi slopes.
     *
     * @return as many numbers as there are slopes, in their order
     * @throws IllegalStateException if it was not asked for
     */
    public Tensor alibiSlopes() {
        return asked(alibiSlopes, "alibiSlopes", "withAlibiSlopes()");
    }

    /**
     * Returns the gradient of a parameter of the score expression.
     *
     * @return of the parameter's shape; without axes for a single number
     * @throws IllegalStateException if it was not asked for
     */
    public Tensor parameter(String name) {
        return asked(parameters.get(name), name, "withParameter(\"" + name + "\")");
    }

    /** {@return the plan that computed these} */
    public String plan() {
        return plan;
    }

    @Override
    public void close() {
        query.close();
        key.close();
        value.close();
        parameters.values().forEach(Tensor::close);
        for (Tensor tensor : new Tensor[] {bias, sinks, alibiSlopes}) {
            if (tensor != null) {
                tensor.close();
            }
        }
    }

    @Override
    public String toString() {
        return "AttentionGradients[plan=" + plan + ", query=" + query + ", key=" + key + ", value=" + value
                + (bias == null ? "" : ", bias=" + bias)
                + (sinks == null ? "" : ", sinks=" + sinks)
                + (alibiSlopes == null ? "" : ", alibiSlopes=" + alibiSlopes)
                + (parameters.isEmpty() ? "" : ", parameters=" + parameters) + "]";
    }

    private static Tensor asked(Tensor tensor, String name, String option) {
        if (tensor == null) {
            throw new IllegalStateException(
                    name + ": its gradient was not asked for; GradientOptions." + option + " asks for it");
        }
        return tensor;
    }
}
