package dev.attention4j.conformance.suite;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Yardstick;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Bad input is refused by an error that names the argument, before anything runs; the engine goes on. */
final class RefusalCases {
    private RefusalCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        shaped(
                cases,
                "key-width",
                "key",
                right -> new Inputs(right.query(), right.key().slice(3, 0, 3), right.value(), right.attention()));
        shaped(
                cases,
                "key-batch",
                "key",
                right -> new Inputs(right.query(), right.key().slice(0, 0, 1), right.value(), right.attention()));
        shaped(
                cases,
                "value-length",
                "value",
                right -> new Inputs(right.query(), right.key(), right.value().slice(2, 0, 3), right.attention()));
        shaped(
                cases,
                "heads-in-no-groups",
                "query",
                right -> new Inputs(right.query().slice(1, 0, 3), right.key(), right.value(), right.attention()));
        shaped(
                cases,
                "axes",
                "query",
                right -> new Inputs(
                        right.query()
                                .reshape(
                                        ProblemCases.BATCH * ProblemCases.HEADS,
                                        ProblemCases.QUERIES,
                                        ProblemCases.SMALL.headDim()),
                        right.key(),
                        right.value(),
                        right.attention()));
        shaped(
                cases,
                "types",
                "key",
                right -> new Inputs(right.query(), right.key().to(DType.FLOAT16), right.value(), right.attention()));
        option(cases, "mask-shape", "mask", Attention.builder().mask(ScoreCases.filled(true, ProblemCases.KEYS + 1)));
        option(cases, "bias-shape", "bias", Attention.builder().bias(Tensor.random(1, 3, 1, 1, 1)));
        option(cases, "key-lengths", "keyLengths", Attention.builder().keyLengths(ProblemCases.KEYS + 1));
        option(cases, "offsets", "offsets", Attention.builder().causalOffsets(1, 2, 3));
        option(cases, "alibi", "alibiSlopes", Attention.builder().alibiSlopes(1, 2, 3));
        option(cases, "sinks", "sinks", Attention.builder().sinks(1));
        option(
                cases,
                "packed-batch",
                "cumulativeLengths",
                Attention.builder()
                        .cumulativeLengths(new int[] {0, ProblemCases.QUERIES}, new int[] {0, ProblemCases.KEYS}));
        return cases;
    }

    private static void option(List<SuiteCase> cases, String name, String argument, AttentionBuilder wrong) {
        shaped(cases, name, argument, right -> right.with(wrong.build()));
    }

    private static void shaped(List<SuiteCase> cases, String name, String argument, UnaryOperator<Inputs> spoil) {
        cases.add(new SuiteCase("refusal/" + name, ProblemCases.SMALL_FLOPS, ProblemCases.SMALL.valueDim(), () -> {
            Inputs right = Inputs.of(ProblemCases.small(Attention.DEFAULT));
            Inputs wrong = spoil.apply(right);
            Yardstick yardstick = Yardstick.of(right.query(), right.key(), right.value(), right.attention());
            return engine -> {
                Finding finding = refused(engine, wrong, argument);
                try (AttentionResult result = ProblemCases.attend(engine, right, right.attention())) {
                    return finding.and(Finding.of(yardstick.measure(result, right.attention())));
                }
            };
        }));
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
