package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;

import dev.attention4j.AlibiSlopes;
import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** What is done to scores: scale, softcap, bias, boolean mask, ALiBi and sinks, and the order of all that. */
final class ScoreCases {
    private static final float NEVER = Float.NEGATIVE_INFINITY;

    private ScoreCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        add(cases, "plain/default", Attention.builder());
        add(cases, "scale/given", Attention.builder().scale(0.7));
        add(cases, "scale/zero", Attention.builder().scale(0));
        add(cases, "scale/negative", Attention.builder().scale(-0.4));
        // Scores of some hundreds: exp of them is infinite unless the largest is taken off first.
        add(cases, "scale/large-scores", Attention.builder().scale(20));
        add(cases, "softcap/alone", Attention.builder().softcap(3));
        add(cases, "softcap/small", Attention.builder().softcap(0.01).scale(1));
        add(cases, "softcap/far-beyond", Attention.builder().softcap(5).scale(10));
        // A masked score stays −∞: capped after the masks it would be −cap, and leak.
        add(cases, "softcap/before-causal", Attention.builder().softcap(0.5).causal(Alignment.TOP_LEFT));
        add(cases, "softcap/before-mask", Attention.builder().softcap(0.5).mask(mask(1, BATCH, 1, QUERIES, KEYS)));
        add(cases, "softcap/before-bias", Attention.builder().softcap(2).bias(bias(2, true, HEADS, QUERIES, KEYS)));
        add(cases, "softcap/largest", Attention.builder().softcap(AttentionBuilder.MAX_SOFTCAP));
        add(cases, "bias/keys", Attention.builder().bias(bias(3, false, KEYS)));
        add(cases, "bias/queries-keys", Attention.builder().bias(bias(4, false, QUERIES, KEYS)));
        add(cases, "bias/heads", Attention.builder().bias(bias(5, false, HEADS, 1, KEYS)));
        add(cases, "bias/batch", Attention.builder().bias(bias(6, false, BATCH, 1, 1, KEYS)));
        add(cases, "bias/of-each-query", Attention.builder().bias(bias(7, false, QUERIES, 1)));
        add(cases, "bias/everything", Attention.builder().bias(bias(8, true, BATCH, HEADS, QUERIES, KEYS)));
        add(
                cases,
                "bias/float16",
                Attention.builder().bias(bias(9, true, HEADS, QUERIES, KEYS).to(DType.FLOAT16)));
        add(
                cases,
                "bias/permuted",
                Attention.builder().bias(bias(10, false, KEYS, QUERIES).permute(1, 0)));
        // A common stand-in for −∞, which it is not: where all keys have it, all are attended to.
        add(cases, "bias/lowest-float", Attention.builder().bias(lowest(DType.FLOAT32)));
        add(cases, "bias/lowest-bfloat16", Attention.builder().bias(lowest(DType.BFLOAT16)));
        add(cases, "sinks/lowest-float", Attention.builder().sinks(filledWith(-Float.MAX_VALUE)));
        cases.add(infiniteValue());
        add(cases, "mask/keys", Attention.builder().mask(mask(11, KEYS)));
        add(cases, "mask/queries-keys", Attention.builder().mask(mask(12, QUERIES, KEYS)));
        add(cases, "mask/heads", Attention.builder().mask(mask(13, HEADS, 1, KEYS)));
        add(cases, "mask/batch", Attention.builder().mask(mask(14, BATCH, 1, 1, KEYS)));
        add(cases, "mask/everything", Attention.builder().mask(mask(15, BATCH, HEADS, QUERIES, KEYS)));
        add(cases, "mask/all-true", Attention.builder().mask(filled(true, QUERIES, KEYS)));
        add(cases, "mask/one-key-each", Attention.builder().mask(diagonal()));
        add(
                cases,
                "mask/and-bias",
                Attention.builder().mask(mask(16, QUERIES, KEYS)).bias(bias(17, true, HEADS, 1, KEYS)));
        add(
                cases,
                "mask/and-causal",
                Attention.builder().mask(mask(18, BATCH, 1, 1, KEYS)).causal(Alignment.BOTTOM_RIGHT));
        add(cases, "alibi/heads", Attention.builder().alibiSlopes(AlibiSlopes.geometric(HEADS)));
        add(cases, "alibi/batch", Attention.builder().alibiSlopes(slopes(BATCH * HEADS)));
        add(
                cases,
                "alibi/causal",
                Attention.builder().alibiSlopes(slopes(HEADS)).causal(Alignment.BOTTOM_RIGHT));
        add(
                cases,
                "alibi/offsets",
                Attention.builder().alibiSlopes(slopes(HEADS)).alignOffsets(-3, 11));
        add(cases, "sinks/heads", Attention.builder().sinks(sinks()));
        add(cases, "sinks/large", Attention.builder().sinks(filledWith(10)));
        add(cases, "sinks/none-for-some", Attention.builder().sinks(1, NEVER, -2, NEVER));
        add(cases, "sinks/causal", Attention.builder().sinks(sinks()).causal(Alignment.TOP_LEFT));
        add(cases, "sinks/and-no-key", Attention.builder().sinks(sinks()).mask(filled(false, KEYS)));
        add(cases, "sinks/softcap", Attention.builder().sinks(sinks()).softcap(1));
        add(
                cases,
                "order/everything",
                Attention.builder()
                        .scale(0.5)
                        .softcap(2)
                        .bias(bias(19, true, HEADS, QUERIES, KEYS))
                        .mask(mask(20, BATCH, 1, QUERIES, KEYS))
                        .causal(Alignment.BOTTOM_RIGHT)
                        .window(25, 0)
                        .alibiSlopes(slopes(HEADS))
                        .sinks(sinks()));
        return cases;
    }

    /** All results are asked for; plans that cannot return weights are asked for the others. */
    private static void add(List<SuiteCase> cases, String name, AttentionBuilder attention) {
        cases.add(ProblemCases.of(
                name, ProblemCases.small(attention.logSumExp(true).weights(true).build())));
    }

    /** Two of three keys, drawn from a seed; the first of a row always. */
    static Tensor mask(long seed, long... shape) {
        Random random = new Random(seed);
        boolean[] mask = new boolean[elements(shape)];
        int keys = (int) shape[shape.length - 1];
        for (int n = 0; n < mask.length; n++) {
            mask[n] = n % keys == 0 || random.nextInt(3) > 0;
        }
        return Tensor.of(mask, shape);
    }

    static Tensor filled(boolean attend, long... shape) {
        boolean[] mask = new boolean[elements(shape)];
        Arrays.fill(mask, attend);
        return Tensor.of(mask, shape);
    }

    private static Tensor diagonal() {
        boolean[] mask = new boolean[QUERIES * KEYS];
        for (int query = 0; query < QUERIES; query++) {
            mask[query * KEYS + (7 * query + 3) % KEYS] = true;
        }
        return Tensor.of(mask, QUERIES, KEYS);
    }

    /** 0 or the lowest finite number, which every third query has for all keys. */
    private static Tensor lowest(DType dtype) {
        Random random = new Random(21);
        Tensor bias = Tensor.zeros(DType.FLOAT32, QUERIES, KEYS);
        float lowest = dtype == DType.BFLOAT16 ? -0x1.FEp127f : -Float.MAX_VALUE;
        for (int n = 0; n < QUERIES * KEYS; n++) {
            bias.floats().put(n, n / KEYS % 3 == 0 || random.nextBoolean() ? lowest : 0);
        }
        return bias.to(dtype);
    }

    /** In the last of as many keys as no vector or tile divides, seen by a single query. */
    private static SuiteCase infiniteValue() {
        AttentionProblem problem = ProblemCases.SMALL.withLengths(1, KEYS).problem(DType.FLOAT32, Attention.DEFAULT);
        return ProblemCases.of("values/infinite-last", problem, () -> {
            Inputs inputs = Inputs.of(problem);
            FloatBuffer values = inputs.value().floats();
            for (int n = 0; n < problem.valueDim(); n++) {
                values.put((KEYS - 1) * problem.valueDim() + n, Float.POSITIVE_INFINITY);
            }
            return inputs;
        });
    }

    /** Drawn from a seed; with −∞ in every fifth place if asked. */
    private static Tensor bias(long seed, boolean masks, long... shape) {
        Tensor bias = Tensor.random(seed, shape);
        for (int n = 0; masks && n < bias.elementCount(); n += 5) {
            bias.floats().put(n, NEVER);
        }
        return bias;
    }

    private static float[] slopes(int count) {
        float[] slopes = new float[count];
        for (int n = 0; n < count; n++) {
            slopes[n] = 0.5f / (n + 1);
        }
        return slopes;
    }

    private static float[] sinks() {
        return new float[] {0.5f, -1, 2, 0};
    }

    private static float[] filledWith(float number) {
        float[] numbers = new float[HEADS];
        Arrays.fill(numbers, number);
        return numbers;
    }

    private static int elements(long... shape) {
        return (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    }
}
