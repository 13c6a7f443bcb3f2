package dev.attention4j.conformance.problems;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.GradientOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.reference.ReferenceAttention;
import dev.attention4j.spi.GradientCall;
import java.util.Random;

/**
 * A {@link RandomProblem} whose gradients are asked for: with a gradient of the output that is NaN where a query has no key, and,
 * drawn too, one of the log-sum-exp, and every gradient that its operation has.
 */
public record RandomGradients(
        Tensor query,
        Tensor key,
        Tensor value,
        Attention attention,
        Tensor outputGradient,
        GradientOptions options,
        String reproduce) {
    /** The number of the option that is a score expression, for {@link #draw(long, int)}. */
    public static final int EXPRESSION = 15;

    private static final int PAGES = 13;

    private static final String[] EXPRESSIONS = {
        "score * gain",
        "score + table[key]",
        "tanh(score * gain) * 3.0 - table[abs(position - key) / 2]",
        "key % 3 == 0 ? score * table[head] : score + gain * gain",
        "max(score, gain) - exp(min(score, 1.0) * gain) / 4.0",
        "(score * score + 1.0) / (2.0 + table[query] * table[query]) + gain * (key < query ? 0.5 : -0.25)",
    };

    /** Draws a call; the same for the same numbers. {@code only} is {@link RandomProblem#draw}'s, or {@link #EXPRESSION}. */
    public static RandomGradients draw(long seed, int only) {
        RandomProblem drawn = RandomProblem.draw(seed, only == EXPRESSION ? 7 : only);
        for (long other = seed; drawn.attention().pageTable().isPresent(); other += 1_000_003) {
            drawn = RandomProblem.draw(other, only == PAGES ? 7 : only);
        }
        Random random = new Random(seed + 17);
        Attention attention =
                drawn.attention().toBuilder().weights(false).logSumExp(true).build();
        GradientOptions options = GradientOptions.DEFAULT;
        if (only == EXPRESSION || (only < 0 && random.nextInt(4) == 0)) {
            String text = EXPRESSIONS[random.nextInt(EXPRESSIONS.length)];
            ScoreParameters parameters = ScoreParameters.NONE;
            if (text.contains("gain")) {
                parameters = parameters.with("gain", 0.25 + random.nextDouble());
                options = options.withParameter("gain");
            }
            if (text.contains("table")) {
                float[] table = new float[512];
                for (int n = 0; n < table.length; n++) {
                    table[n] = (float) random.nextGaussian();
                }
                parameters = parameters.with("table", table);
                options = options.withParameter("table");
            }
            attention = attention.toBuilder().score(text, parameters).build();
        }
        options = attention.bias().isPresent() ? options.withBias() : options;
        options = attention.sinks().length > 0 ? options.withSinks() : options;
        options = attention.alibiSlopes().length > 0 ? options.withAlibiSlopes() : options;
        AttentionProblem problem = AttentionProblem.of(drawn.query(), drawn.key(), drawn.value(), attention);
        double[] logSumExp = ReferenceAttention.compute(problem, drawn.query(), drawn.key(), drawn.value())
                .logSumExp();
        Tensor gradient = Tensor.random(random.nextLong(), problem.outputShape());
        Tensor ofLogSumExp = Tensor.random(random.nextLong(), problem.logSumExpShape());
        for (int row = 0; row < logSumExp.length; row++) {
            for (int c = 0; logSumExp[row] == Double.NEGATIVE_INFINITY && c < problem.valueDim(); c++) {
                gradient.floats().put(row * problem.valueDim() + c, Float.NaN);
                ofLogSumExp.floats().put(row, Float.NaN);
            }
        }
        if (random.nextBoolean()) {
            options = options.withLogSumExpGradient(ofLogSumExp);
        }
        if (random.nextInt(3) == 0) {
            gradient = gradient.to(problem.dtype());
        }
        if (random.nextInt(3) == 0) {
            gradient = gradient.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3);
        }
        return new RandomGradients(
                drawn.query(),
                drawn.key(),
                drawn.value(),
                attention,
                gradient,
                options,
                "RandomGradients.draw(" + seed + "L, " + only + "): " + drawn.reproduce() + " " + attention
                        + " gradient " + gradient.dtype() + " " + options);
    }

    /** Returns the call with a result of the forward pass, on the host. */
    public GradientCall call(AttentionResult result) {
        return GradientCall.of(query, key, value, attention, result, outputGradient, options);
    }
}
