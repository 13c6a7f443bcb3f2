package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL_FLOPS;
import static dev.attention4j.conformance.suite.ProblemCases.attention;
import static dev.attention4j.conformance.suite.ProblemCases.small;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Yardstick;
import java.util.ArrayList;
import java.util.List;

/** What is masked for every query may hold anything: NaN or ∞ there changes no bit of the result. */
final class LeakCases {
    /** The keys from here on are masked. */
    private static final int SEEN = 21;

    private static final float[] POISON = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};

    private LeakCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        add(cases, "mask", attention().mask(mask()));
        add(cases, "bias", attention().bias(bias()));
        add(cases, "mask-and-softcap", attention().mask(mask()).softcap(2));
        add(cases, "causal", attention().causalOffsets(SEEN - QUERIES));
        add(cases, "window", attention().window(-1, 0).alignOffsets(SEEN - QUERIES));
        add(cases, "key-lengths", attention().keyLengths(SEEN));
        add(cases, "key-lengths-and-causal", attention().keyLengths(SEEN).causal(Alignment.BOTTOM_RIGHT));
        cases.add(maskedBias());
        return cases;
    }

    private static void add(List<SuiteCase> cases, String name, AttentionBuilder attention) {
        AttentionProblem problem = small(attention.logSumExp(true).build());
        cases.add(new SuiteCase("leaks/" + name, SMALL_FLOPS, problem.valueDim(), () -> {
            Inputs clean = Inputs.of(problem);
            return check(
                    clean,
                    new Inputs(
                            clean.query(),
                            poisoned(clean.key(), problem.headDim()),
                            poisoned(clean.value(), problem.valueDim()),
                            problem.attention()));
        }));
    }

    /** A bias of NaN where the mask says not to attend. */
    private static SuiteCase maskedBias() {
        return new SuiteCase("leaks/masked-bias", SMALL_FLOPS, SMALL.valueDim(), () -> {
            Tensor bias = Tensor.random(5, HEADS, 1, KEYS);
            Attention clean =
                    attention().mask(mask()).bias(bias).logSumExp(true).build();
            Inputs inputs = Inputs.of(small(clean));
            return check(
                    inputs,
                    inputs.with(clean.toBuilder().bias(poisoned(bias, 1)).build()));
        });
    }

    private static SuiteCase.Check check(Inputs clean, Inputs poisoned) {
        Yardstick yardstick = Yardstick.of(clean.query(), clean.key(), clean.value(), clean.attention());
        return engine -> {
            try (AttentionResult wanted = ProblemCases.attend(engine, clean, clean.attention());
                    AttentionResult got = ProblemCases.attend(engine, poisoned, poisoned.attention())) {
                Finding finding = Finding.of(yardstick.measure(got, poisoned.attention()));
                return ProblemCases.sameBits(wanted, got)
                        ? finding
                        : finding.and(Finding.objection("what masked positions hold changes bits of the result"));
            }
        };
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
}
