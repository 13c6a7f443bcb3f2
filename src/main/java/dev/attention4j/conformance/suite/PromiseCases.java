package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.attend;
import static dev.attention4j.conformance.suite.ProblemCases.attention;
import static dev.attention4j.conformance.suite.ProblemCases.measured;
import static dev.attention4j.conformance.suite.ProblemCases.small;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.Finding;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Yardstick;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Promises beyond right numbers: masked positions may hold anything, the same bits come again, tensors stay on the device,
 * calls do not wait, parts merge, and bad input is refused.
 */
final class PromiseCases {
    /** The keys from here on are masked. */
    private static final int SEEN = 21;

    private static final float[] POISON = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};

    private PromiseCases() {}

    static List<ConformanceCase> all() {
        ProblemCases cases = new ProblemCases();
        leaks(cases);
        for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT16}) {
            repeat(cases, "plain-" + dtype, SMALL.problem(dtype, asked(attention())));
        }
        repeat(cases, "causal", small(asked(attention().causal(Alignment.TOP_LEFT))));
        repeat(cases, "one-query", SMALL.withLengths(1, 1030).problem(DType.FLOAT32, asked(attention())));
        AttentionProblem masked = small(asked(attention().mask(ScoreCases.mask(1, QUERIES, KEYS))));
        cases.add("resident/upload", masked, PromiseCases::uploaded);
        cases.add("resident/query-on-the-host", masked, PromiseCases::mixed);
        cases.add("async/two-at-once", masked, PromiseCases::twoAtOnce);
        AttentionProblem plain = small(asked(attention()));
        // As asked for: a plan that cannot return them says so, and no other case hides that.
        ProblemCases.Question asIs =
                (engine, inputs, yardstick) -> measured(yardstick, engine, inputs, inputs.attention());
        cases.add("log-sum-exp/alone", plain, asIs);
        cases.add("log-sum-exp/parts-merge", plain, PromiseCases::merged);
        cases.add("weights/returned", small(attention().weights(true).build()), asIs);
        refusals(cases);
        return cases.all();
    }

    private static Attention asked(AttentionBuilder attention) {
        return attention.logSumExp(true).build();
    }

    /** NaN or ∞ in a position that is masked for every query changes no bit of the result. */
    private static void leaks(ProblemCases cases) {
        leak(cases, "mask", attention().mask(mask()));
        leak(cases, "bias", attention().bias(bias()));
        leak(cases, "mask-and-softcap", attention().mask(mask()).softcap(2));
        leak(cases, "causal", attention().causalOffsets(SEEN - QUERIES));
        leak(cases, "window", attention().window(-1, 0).alignOffsets(SEEN - QUERIES));
        leak(cases, "key-lengths", attention().keyLengths(SEEN));
        leak(cases, "key-lengths-and-causal", attention().keyLengths(SEEN).causal(Alignment.BOTTOM_RIGHT));
        // A bias of NaN where the mask says not to attend.
        Tensor bias = Tensor.random(5, HEADS, 1, KEYS);
        AttentionBuilder biased = attention().mask(mask()).bias(bias);
        leak(
                cases,
                "masked-bias",
                biased,
                clean -> clean.with(
                        clean.attention().toBuilder().bias(poisoned(bias, 1)).build()));
    }

    private static void leak(ProblemCases cases, String name, AttentionBuilder attention) {
        leak(
                cases,
                name,
                attention,
                clean -> new Inputs(
                        clean.query(),
                        poisoned(clean.key(), SMALL.headDim()),
                        poisoned(clean.value(), SMALL.valueDim()),
                        clean.attention()));
    }

    private static void leak(
            ProblemCases cases, String name, AttentionBuilder attention, UnaryOperator<Inputs> poison) {
        cases.add("leaks/" + name, small(asked(attention)), (engine, clean, yardstick) -> {
            Inputs poisoned = poison.apply(clean);
            try (AttentionResult wanted = attend(engine, clean, clean.attention());
                    AttentionResult got = attend(engine, poisoned, poisoned.attention())) {
                Finding finding = Finding.of(yardstick.measure(got, poisoned.attention()));
                return sameBits(wanted, got)
                        ? finding
                        : finding.wrong("what masked positions hold changes bits of the result");
            }
        });
    }

    private static Tensor mask() {
        boolean[] mask = new boolean[KEYS];
        for (int key = 0; key < SEEN; key++) {
            mask[key] = true;
        }
        return Tensor.of(mask, KEYS);
    }

    private static Tensor bias() {
        Tensor bias = Tensor.random(4, BATCH, 1, 1, KEYS);
        for (int row = 0; row < BATCH; row++) {
            for (int key = SEEN; key < KEYS; key++) {
                bias.floats().put(row * KEYS + key, Float.NEGATIVE_INFINITY);
            }
        }
        return bias;
    }

    /** A copy of a tensor [..., keys, width] with NaN and infinities in its masked keys. */
    private static Tensor poisoned(Tensor tensor, int width) {
        Tensor copy = Tensor.of(tensor.toFloatArray(), tensor.shape());
        for (int n = 0; n < copy.elementCount(); n++) {
            if (n / width % KEYS >= SEEN) {
                copy.floats().put(n, POISON[n % POISON.length]);
            }
        }
        return copy;
    }

    /** The same bits three times, with another call between. */
    private static void repeat(ProblemCases cases, String name, AttentionProblem problem) {
        cases.add("repeat/" + name, problem, (engine, inputs, yardstick) -> {
            Attention asked = inputs.attention();
            Inputs other = Inputs.of(SMALL.withLengths(7, 11).problem(problem.dtype(), asked));
            try (AttentionResult first = attend(engine, inputs, asked);
                    AttentionResult between = attend(engine, other, asked);
                    AttentionResult second = attend(engine, inputs, asked);
                    AttentionResult third = attend(engine, inputs, asked)) {
                Finding finding = Finding.of(yardstick.measure(first, asked));
                return sameBits(first, second) && sameBits(first, third)
                        ? finding
                        : finding.wrong("the same call gave other bits, next to a call by " + between.plan());
            }
        });
    }

    /** Returns true if two results that hold output and log-sum-exp are the same, bit for bit. */
    private static boolean sameBits(AttentionResult one, AttentionResult other) {
        return sameBits(one.output(), other.output()) && sameBits(one.logSumExp(), other.logSumExp());
    }

    private static boolean sameBits(Tensor one, Tensor other) {
        return one.contiguous().bytes().equals(other.contiguous().bytes());
    }

    private static Finding uploaded(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        try (Tensor query = engine.upload(inputs.query());
                Tensor key = engine.upload(inputs.key());
                Tensor value = engine.upload(inputs.value());
                AttentionResult result = engine.attend(query, key, value, inputs.attention())) {
            AttentionResult onHost = new AttentionResult(
                    engine.download(result.output()), null, engine.download(result.logSumExp()), result.plan());
            return Finding.of(yardstick.measure(onHost, inputs.attention()));
        }
    }

    private static Finding mixed(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        try (Tensor key = engine.upload(inputs.key());
                Tensor value = engine.upload(inputs.value());
                AttentionResult result = engine.attend(inputs.query(), key, value, inputs.attention())) {
            return result.output().isOnHost()
                    ? Finding.of(yardstick.measure(result, inputs.attention()))
                    : new Finding().wrong("the result is not on the host, where the query is");
        }
    }

    private static Finding twoAtOnce(AttentionEngine engine, Inputs inputs, Yardstick yardstick) {
        var first = engine.attendAsync(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        var second = engine.attendAsync(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        try (AttentionResult one = first.join();
                AttentionResult two = second.join()) {
            Finding finding = Finding.of(yardstick.measure(one, inputs.attention()));
            return sameBits(one, two) ? finding : finding.wrong("two calls at once gave different bits");
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

    /** Bad input is refused by an error that names the argument, before anything runs; the engine goes on. */
    private static void refusals(ProblemCases cases) {
        refusal(cases, "key-width", "key", right -> right.withKey(right.key().slice(3, 0, 3)));
        refusal(cases, "key-batch", "key", right -> right.withKey(right.key().slice(0, 0, 1)));
        refusal(
                cases,
                "value-length",
                "value",
                right -> right.withValue(right.value().slice(2, 0, 3)));
        refusal(
                cases,
                "heads-in-no-groups",
                "query",
                right -> right.withQuery(right.query().slice(1, 0, 3)));
        refusal(
                cases,
                "axes",
                "query",
                right -> right.withQuery(right.query().reshape(BATCH * HEADS, QUERIES, SMALL.headDim())));
        refusal(
                cases,
                "types",
                "key",
                right -> right.withKey(Tensor.zeros(DType.INT32, right.key().shape())));
        refusal(cases, "mask-shape", "mask", attention().mask(ScoreCases.filled(true, KEYS + 1)));
        refusal(cases, "bias-shape", "bias", attention().bias(Tensor.random(1, 3, 1, 1, 1)));
        refusal(cases, "key-lengths", "keyLengths", attention().keyLengths(KEYS + 1));
        refusal(cases, "offsets", "offsets", attention().causalOffsets(1, 2, 3));
        refusal(cases, "alibi", "alibiSlopes", attention().alibiSlopes(1, 2, 3));
        refusal(cases, "sinks", "sinks", attention().sinks(1));
        AttentionBuilder packed = attention().cumulativeLengths(new int[] {0, QUERIES}, new int[] {0, KEYS});
        refusal(cases, "packed-batch", "cumulativeLengths", packed);
    }

    private static void refusal(ProblemCases cases, String name, String argument, AttentionBuilder wrong) {
        refusal(cases, name, argument, right -> right.with(wrong.build()));
    }

    private static void refusal(ProblemCases cases, String name, String argument, UnaryOperator<Inputs> spoil) {
        cases.add("refusal/" + name, small(Attention.DEFAULT), (engine, right, yardstick) -> {
            Finding refused = refused(engine, spoil.apply(right), argument);
            return measured(yardstick, engine, right, right.attention()).and(refused);
        });
    }

    private static Finding refused(AttentionEngine engine, Inputs wrong, String argument) {
        Finding finding = new Finding();
        try (AttentionResult result = attend(engine, wrong, wrong.attention())) {
            return finding.wrong("bad " + argument + " was computed by " + result.plan() + ", must be refused");
        } catch (IllegalArgumentException e) {
            return e.getMessage() != null && e.getMessage().startsWith(argument + ":")
                    ? finding
                    : finding.wrong("bad " + argument + " is refused by \"" + e.getMessage() + "\", must begin with \""
                            + argument + ":\"");
        }
    }
}
