package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL_FLOPS;
import static dev.attention4j.conformance.suite.ProblemCases.attention;
import static dev.attention4j.conformance.suite.ProblemCases.small;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Yardstick;
import java.util.List;
import java.util.function.UnaryOperator;

/** Bad input is refused by an error that names the argument, before anything runs; the engine goes on. */
final class RefusalCases {
    private RefusalCases() {}

    static List<SuiteCase> all() {
        return List.of(
                of("key-width", "key", right -> right.withKey(right.key().slice(3, 0, 3))),
                of("key-batch", "key", right -> right.withKey(right.key().slice(0, 0, 1))),
                of(
                        "value-length",
                        "value",
                        right -> right.withValue(right.value().slice(2, 0, 3))),
                of(
                        "heads-in-no-groups",
                        "query",
                        right -> right.withQuery(right.query().slice(1, 0, 3))),
                of(
                        "axes",
                        "query",
                        right -> right.withQuery(right.query().reshape(BATCH * HEADS, QUERIES, SMALL.headDim()))),
                of("types", "key", right -> right.withKey(right.key().to(DType.FLOAT16))),
                option("mask-shape", "mask", attention().mask(ScoreCases.filled(true, KEYS + 1))),
                option("bias-shape", "bias", attention().bias(Tensor.random(1, 3, 1, 1, 1))),
                option("key-lengths", "keyLengths", attention().keyLengths(KEYS + 1)),
                option("offsets", "offsets", attention().causalOffsets(1, 2, 3)),
                option("alibi", "alibiSlopes", attention().alibiSlopes(1, 2, 3)),
                option("sinks", "sinks", attention().sinks(1)),
                option(
                        "packed-batch",
                        "cumulativeLengths",
                        attention().cumulativeLengths(new int[] {0, QUERIES}, new int[] {0, KEYS})));
    }

    private static SuiteCase option(String name, String argument, AttentionBuilder wrong) {
        return of(name, argument, right -> right.with(wrong.build()));
    }

    private static SuiteCase of(String name, String argument, UnaryOperator<Inputs> spoil) {
        return new SuiteCase("refusal/" + name, SMALL_FLOPS, SMALL.valueDim(), () -> {
            Inputs right = Inputs.of(small(Attention.DEFAULT));
            Inputs wrong = spoil.apply(right);
            Yardstick yardstick = Yardstick.of(right.query(), right.key(), right.value(), right.attention());
            return engine -> {
                Finding finding = refused(engine, wrong, argument);
                try (AttentionResult result = ProblemCases.attend(engine, right, right.attention())) {
                    return finding.and(Finding.of(yardstick.measure(result, right.attention())));
                }
            };
        });
    }

    private static Finding refused(AttentionEngine engine, Inputs wrong, String argument) {
        try (AttentionResult result = ProblemCases.attend(engine, wrong, wrong.attention())) {
            return Finding.objection("bad " + argument + " was computed by " + result.plan() + ", must be refused");
        } catch (IllegalArgumentException e) {
            return e.getMessage() != null && e.getMessage().startsWith(argument + ":")
                    ? Finding.RIGHT
                    : Finding.objection("bad " + argument + " is refused by \"" + e.getMessage()
                            + "\", must begin with \"" + argument + ":\"");
        }
    }
}
