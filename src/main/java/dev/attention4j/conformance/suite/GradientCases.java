package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.attention;

import dev.attention4j.Alignment;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.Finding;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Gradients with each option, of all that has one, each held to the yardstick. */
final class GradientCases {
    /** Of which an emulator takes half a minute to build the kernels. */
    static final String FIRST = "gradients/plain";

    private final List<ConformanceCase> cases = new ArrayList<>();

    private GradientCases() {}

    static List<ConformanceCase> all() {
        GradientCases gradients = new GradientCases();
        GradientOptions none = GradientOptions.DEFAULT;
        GradientOptions bias = none.withBias();
        gradients.add("plain", attention());
        gradients.add("causal", attention().causal(Alignment.BOTTOM_RIGHT));
        // The first queries have no key, and their gradients are 0.
        gradients.add("unseen", attention().causalOffsets(-3));
        gradients.add("window", attention().window(5, 3).align(Alignment.BOTTOM_RIGHT));
        gradients.add("key-lengths", attention().keyLengths(KEYS, 11));
        gradients.add("mask", attention().mask(ScoreCases.mask(1, BATCH, 1, QUERIES, KEYS)));
        gradients.add("scale", attention().scale(-0.6));
        gradients.add("softcap", attention().softcap(0.5));
        gradients.add("bias", attention().bias(Tensor.random(2, BATCH, HEADS, QUERIES, KEYS)), bias);
        gradients.add("bias-of-heads", attention().bias(Tensor.random(3, HEADS, 1, KEYS)), bias);
        gradients.add(
                "alibi",
                attention().alibiSlopes(0.5f, 0.25f, 0.125f, 0.0625f).align(Alignment.BOTTOM_RIGHT),
                none.withAlibiSlopes());
        gradients.add("sinks", attention().sinks(0.5f, -1, 2, 0), none.withSinks());
        gradients.add(
                "score",
                attention()
                        .score(
                                "tanh(score * gain) + table[key]",
                                ScoreParameters.NONE
                                        .with("gain", 0.75)
                                        .with("table", Tensor.random(4, KEYS).toFloatArray())),
                none.withParameter("gain").withParameter("table"));
        gradients.add("mask-if", attention().maskIf("(query + key) % 3 != 0", ScoreParameters.NONE));
        gradients.add("dropout", attention().dropout(0.3, 5));
        gradients.add("log-sum-exp", attention(), none.withLogSumExpGradient(Tensor.random(6, BATCH, HEADS, QUERIES)));
        gradients.add("all", everything(), bias.withSinks().withAlibiSlopes());
        for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
            gradients.add(dtype.name().toLowerCase(Locale.ROOT), dtype, attention(), none);
        }
        return gradients.cases;
    }

    private static AttentionBuilder everything() {
        return attention()
                .causal(Alignment.BOTTOM_RIGHT)
                .window(20, 0)
                .mask(ScoreCases.mask(7, QUERIES, KEYS))
                .bias(Tensor.random(8, BATCH, 1, 1, KEYS))
                .softcap(2)
                .alibiSlopes(0.5f, 0.25f, 0.125f, 0.0625f)
                .sinks(0.5f, -1, 2, 0)
                .dropout(0.2, 9);
    }

    private void add(String name, AttentionBuilder attention) {
        add(name, attention, GradientOptions.DEFAULT);
    }

    private void add(String name, AttentionBuilder attention, GradientOptions options) {
        add(name, DType.FLOAT32, attention, options);
    }

    private void add(String name, DType dtype, AttentionBuilder attention, GradientOptions options) {
        AttentionProblem problem =
                SMALL.problem(dtype, attention.logSumExp(true).build());
        // Forward and backward are seven products of query and key, the forward pass alone two.
        double flops = 7.0 / 2 * problem.flops();
        cases.add(new ConformanceCase(
                "gradients/" + name, flops, problem.valueDim(), dtype, () -> check(Inputs.of(problem), options)));
    }

    private static ConformanceCase.Check check(Inputs inputs, GradientOptions options) {
        Tensor outputGradient = Tensor.random(10, inputs.problem().outputShape());
        // The oracle computes the result anew.
        GradientYardstick yardstick = new GradientYardstick(new GradientCall(
                inputs.problem(), inputs.query(), inputs.key(), inputs.value(), null, null, outputGradient, options));
        return engine -> {
            try (AttentionTape tape = engine.attendForGradients(
                            inputs.query(), inputs.key(), inputs.value(), inputs.attention());
                    AttentionGradients gradients = tape.gradients(outputGradient, options)) {
                return Finding.of(yardstick.measure(gradients));
            }
        };
    }
}
