package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL_FLOPS;
import static dev.attention4j.conformance.suite.ProblemCases.attention;
import static dev.attention4j.conformance.suite.ProblemCases.small;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Yardstick;
import java.util.ArrayList;
import java.util.List;

/**
 * What is promised beyond right numbers: the same bits again, tensors that stay on the device, calls that do not wait,
 * parts that merge.
 */
final class PromiseCases {
    private PromiseCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT16}) {
            repeat(cases, "plain-" + dtype, SMALL.problem(dtype, asked(attention())));
        }
        repeat(cases, "causal", small(asked(attention().causal(Alignment.TOP_LEFT))));
        repeat(cases, "one-query", SMALL.withLengths(1, 1030).problem(DType.FLOAT32, asked(attention())));
        AttentionProblem masked =
                small(asked(attention().mask(ScoreCases.mask(1, ProblemCases.QUERIES, ProblemCases.KEYS))));
        add(cases, "resident/upload", masked, PromiseCases::uploaded);
        add(cases, "resident/query-on-the-host", masked, PromiseCases::mixed);
        add(cases, "async/two-at-once", masked, PromiseCases::twoAtOnce);
        AttentionProblem plain = small(asked(attention()));
        add(cases, "log-sum-exp/alone", plain, (engine, inputs, yardstick) -> measured(yardstick, engine, inputs));
        add(cases, "log-sum-exp/parts-merge", plain, PromiseCases::merged);
        Attention weights = attention().weights(true).build();
        cases.add(new SuiteCase("weights/returned", SMALL_FLOPS, SMALL.valueDim(), () -> {
            Inputs inputs = Inputs.of(small(weights));
            Yardstick yardstick = Yardstick.of(inputs.query(), inputs.key(), inputs.value(), weights);
            // Asked for as they are: a plan that cannot return them says so, and no other case hides that.
            return engine -> {
                try (AttentionResult result = ProblemCases.attend(engine, inputs, weights)) {
                    return Finding.of(yardstick.measure(result, weights));
                }
            };
        }));
        return cases;
    }

    /** Asks an engine something about one problem. */
    @FunctionalInterface
    private interface Question {
        Finding ask(AttentionEngine engine, Inputs inputs, Yardstick yardstick);
    }

    private static void add(List<SuiteCase> cases, String name, AttentionProblem problem, Question question) {
        cases.add(new SuiteCase(name, ProblemCases.flops(problem), problem.valueDim(), problem.dtype(), () -> {
            Inputs inputs = Inputs.of(problem);
            Yardstick yardstick = Yardstick.of(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
            return engine -> question.ask(engine, inputs, yardstick);
        }));
    }

    /** The same bits three times, with another call between. */
    private static void repeat(List<SuiteCase> cases, String name, AttentionProblem problem) {
        add(cases, "repeat/" + name, problem, (engine, inputs, yardstick) -> {
            Inputs other = Inputs.of(SMALL.withLengths(7, 11)
                    .problem(
                            problem.dtype(),
                            problem.attention().mask().isPresent() ? Attention.DEFAULT : problem.attention()));
            try (AttentionResult first = ProblemCases.attend(engine, inputs, inputs.attention());
                    AttentionResult between = ProblemCases.attend(engine, other, other.attention());
                    AttentionResult second = ProblemCases.attend(engine, inputs, inputs.attention());
                    AttentionResult third = ProblemCases.attend(engine, inputs, inputs.attention())) {
                Finding finding = Finding.of(yardstick.measure(first, inputs.attention()));
                return ProblemCases.sameBits(first, second) && ProblemCases.sameBits(first, third)
                        ? finding
                        : finding.and(
                                Finding.objection("the same call gave other bits, beside a call by " + between.plan()));
            }
        });
    }

    private static Finding measured(Yardstick yardstick, AttentionEngine engine, Inputs inputs) {
        try (AttentionResult result = ProblemCases.attend(engine, inputs, inputs.attention())) {
            return Finding.of(yardstick.measure(result, inputs.attention()));
        }
    }

    private static Finding uploaded(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        try (Tensor query = engine.upload(inputs.query());
                Tensor key = engine.upload(inputs.key());
                Tensor value = engine.upload(inputs.value());
                AttentionResult result = engine.attend(query, key, value, inputs.attention())) {
            return downloaded(engine, result, inputs, yardstick);
        }
    }

    private static Finding mixed(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        try (Tensor key = engine.upload(inputs.key());
                Tensor value = engine.upload(inputs.value());
                AttentionResult result = engine.attend(inputs.query(), key, value, inputs.attention())) {
            return result.output().isOnHost()
                    ? Finding.of(yardstick.measure(result, inputs.attention()))
                    : Finding.objection("the result is not on the host, where the query is");
        }
    }

    private static Finding downloaded(
            AttentionEngine engine, AttentionResult result, Inputs inputs, Yardstick yardstick) {
        AttentionResult onHost = new AttentionResult(
                engine.download(result.output()), null, engine.download(result.logSumExp()), result.plan());
        return Finding.of(yardstick.measure(onHost, inputs.attention()));
    }

    private static Finding twoAtOnce(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        var first = engine.attendAsync(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        var second = engine.attendAsync(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        try (AttentionResult one = first.join();
                AttentionResult two = second.join()) {
            Finding finding = Finding.of(yardstick.measure(one, inputs.attention()));
            return ProblemCases.sameBits(one, two)
                    ? finding
                    : finding.and(Finding.objection("two calls at once gave different bits"));
        }
    }

    /** Attention over two parts of the keys, merged by their log-sum-exp, is attention over all of them. */
    private static Finding merged(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        long keys = inputs.key().size(2);
        long half = keys / 2 - 1;
        try (AttentionResult left = part(engine, inputs, 0, half);
                AttentionResult right = part(engine, inputs, half, keys)) {
            float[] output = left.output().toFloatArray();
            float[] rightOutput = right.output().toFloatArray();
            float[] logSumExp = left.logSumExp().toFloatArray();
            float[] rightLogSumExp = right.logSumExp().toFloatArray();
            int width = output.length / logSumExp.length;
            for (int row = 0; row < logSumExp.length; row++) {
                double share = 1 / (1 + Math.exp((double) logSumExp[row] - rightLogSumExp[row]));
                for (int n = row * width; n < (row + 1) * width; n++) {
                    output[n] = (float) (output[n] * (1 - share) + rightOutput[n] * share);
                }
                logSumExp[row] = (float) (logSumExp[row] - Math.log1p(-share));
            }
            AttentionResult whole = new AttentionResult(
                    Tensor.of(output, left.output().shape()),
                    null,
                    Tensor.of(logSumExp, left.logSumExp().shape()),
                    left.plan());
            return Finding.of(yardstick.measure(whole, inputs.attention()));
        }
    }

    private static AttentionResult part(AttentionEngine engine, Inputs inputs, long from, long to) {
        return engine.attend(
                inputs.query(), inputs.key().slice(2, from, to), inputs.value().slice(2, from, to), inputs.attention());
    }

    private static Attention asked(AttentionBuilder attention) {
        return attention.logSumExp(true).build();
    }
}
