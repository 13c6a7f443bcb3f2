package dev.attention4j;

import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The gradients that are wanted in addition to those of query, key and value, and the gradient of the log-sum-exp if the caller's
 * function depends on it. Immutable; each {@code with} returns another.
 *
 * @param bias true for the gradient of the bias
 * @param sinks true for the gradient of the sinks
 * @param alibiSlopes true for the gradient of the ALiBi slopes
 * @param parameters names of parameters of the score expression
 * @param logSumExpGradient [batch, heads, queryLength], FLOAT32: the derivative of the caller's function by each log-sum-exp
 */
public record GradientOptions(
        boolean bias, boolean sinks, boolean alibiSlopes, Set<String> parameters, Optional<Tensor> logSumExpGradient) {
    /** Query, key and value; a function of the output alone. */
    public static final GradientOptions DEFAULT = new GradientOptions(false, false, false, Set.of(), Optional.empty());

    /** Copies the names. */
    public GradientOptions {
        Objects.requireNonNull(logSumExpGradient, "logSumExpGradient");
        parameters = Collections.unmodifiableSet(new LinkedHashSet<>(parameters));
    }

    /** {@return these and the gradient of the bias} */
    public GradientOptions withBias() {
        return new GradientOptions(true, sinks, alibiSlopes, parameters, logSumExpGradient);
    }

    /** {@return these and the gradient of the sinks} */
    public GradientOptions withSinks() {
        return new GradientOptions(bias, true, alibiSlopes, parameters, logSumExpGradient);
    }

    /** {@return these and the gradient of the ALiBi slopes} */
    public GradientOptions withAlibiSlopes() {
        return new GradientOptions(bias, sinks, true, parameters, logSumExpGradient);
    }

    /**
     * Returns these and the gradient of a parameter of the score expression.
     *
     * @param name of a float or of a table of floats
     */
    public GradientOptions withParameter(String name) {
        Set<String> more = new LinkedHashSet<>(parameters);
        more.add(Objects.requireNonNull(name, "name"));
        return new GradientOptions(bias, sinks, alibiSlopes, more, logSumExpGradient);
    }

    /**
     * Returns these and the gradient of the log-sum-exp.
     *
     * @param gradient [batch, heads, queryLength], FLOAT32
     */
    public GradientOptions withLogSumExpGradient(Tensor gradient) {
        return new GradientOptions(
                bias, sinks, alibiSlopes, parameters, Optional.of(Objects.requireNonNull(gradient, "gradient")));
    }
}
