package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.HEADS;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.attention;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.ScoreExpressions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.problems.RandomExpression;
import dev.attention4j.measure.Inputs;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Options that change scores: scale, softcap, bias, boolean mask, ALiBi, sinks, dropout and expressions, and the order of all that. */
final class ScoreCases {
    private static final float NEVER = Float.NEGATIVE_INFINITY;

    private ScoreCases() {}

    static List<ConformanceCase> all() {
        ProblemCases cases = new ProblemCases();
        cases.add("plain/default", attention());
        cases.add("scale/given", attention().scale(0.7));
        cases.add("scale/zero", attention().scale(0));
        cases.add("scale/negative", attention().scale(-0.4));
        // Scores of some hundreds: exp of them is infinite unless the largest is taken off first.
        cases.add("scale/large-scores", attention().scale(20));
        cases.add("softcap/alone", attention().softcap(3));
        cases.add("softcap/small", attention().softcap(0.01).scale(1));
        cases.add("softcap/far-beyond", attention().softcap(5).scale(10));
        // A masked score stays −∞: capped after the masks it would be −cap, and leak.
        cases.add("softcap/before-causal", attention().softcap(0.5).causal(Alignment.TOP_LEFT));
        cases.add("softcap/before-mask", attention().softcap(0.5).mask(mask(1, BATCH, 1, QUERIES, KEYS)));
        cases.add("softcap/before-bias", attention().softcap(2).bias(bias(2, true, HEADS, QUERIES, KEYS)));
        cases.add("softcap/largest", attention().softcap(AttentionBuilder.MAX_SOFTCAP));
        cases.add("bias/keys", attention().bias(bias(3, false, KEYS)));
        cases.add("bias/queries-keys", attention().bias(bias(4, false, QUERIES, KEYS)));
        cases.add("bias/heads", attention().bias(bias(5, false, HEADS, 1, KEYS)));
        cases.add("bias/batch", attention().bias(bias(6, false, BATCH, 1, 1, KEYS)));
        cases.add("bias/of-each-query", attention().bias(bias(7, false, QUERIES, 1)));
        cases.add("bias/everything", attention().bias(bias(8, true, BATCH, HEADS, QUERIES, KEYS)));
        cases.add(
                "bias/float16",
                attention().bias(bias(9, true, HEADS, QUERIES, KEYS).to(DType.FLOAT16)));
        cases.add(
                "bias/permuted", attention().bias(bias(10, false, KEYS, QUERIES).permute(1, 0)));
        // A common stand-in for −∞, which it is not: where all keys have it, all are attended to.
        cases.add("bias/lowest-float", attention().bias(lowest(DType.FLOAT32)));
        cases.add("bias/lowest-bfloat16", attention().bias(lowest(DType.BFLOAT16)));
        cases.add("sinks/lowest-float", attention().sinks(filledWith(-Float.MAX_VALUE)));
        cases.add(infiniteValue());
        cases.add("mask/keys", attention().mask(mask(11, KEYS)));
        cases.add("mask/queries-keys", attention().mask(mask(12, QUERIES, KEYS)));
        cases.add("mask/heads", attention().mask(mask(13, HEADS, 1, KEYS)));
        cases.add("mask/batch", attention().mask(mask(14, BATCH, 1, 1, KEYS)));
        cases.add("mask/everything", attention().mask(mask(15, BATCH, HEADS, QUERIES, KEYS)));
        cases.add("mask/all-true", attention().mask(filled(true, QUERIES, KEYS)));
        cases.add("mask/one-key-each", attention().mask(diagonal()));
        cases.add("mask/and-bias", attention().mask(mask(16, QUERIES, KEYS)).bias(bias(17, true, HEADS, 1, KEYS)));
        cases.add(
                "mask/and-causal", attention().mask(mask(18, BATCH, 1, 1, KEYS)).causal(Alignment.BOTTOM_RIGHT));
        cases.add("alibi/heads", attention().alibiSlopes(AttentionBuilder.geometricSlopes(HEADS)));
        cases.add("alibi/batch", attention().alibiSlopes(slopes(BATCH * HEADS)));
        cases.add("alibi/causal", attention().alibiSlopes(slopes(HEADS)).causal(Alignment.BOTTOM_RIGHT));
        cases.add("alibi/offsets", attention().alibiSlopes(slopes(HEADS)).alignOffsets(-3, 11));
        cases.add(
                "alibi/packed",
                SMALL.withBatch(1).withLengths(33, 47),
                attention()
                        .cumulativeLengths(new int[] {0, 5, 5, 20, 33}, new int[] {0, 9, 14, 14, 47})
                        .alibiSlopes(slopes(HEADS)));
        cases.add("sinks/heads", attention().sinks(sinks()));
        cases.add("sinks/large", attention().sinks(filledWith(10)));
        cases.add("sinks/none-for-some", attention().sinks(1, NEVER, -2, NEVER));
        cases.add("sinks/causal", attention().sinks(sinks()).causal(Alignment.TOP_LEFT));
        cases.add("sinks/and-no-key", attention().sinks(sinks()).mask(filled(false, KEYS)));
        cases.add("sinks/softcap", attention().sinks(sinks()).softcap(1));
        cases.add("dropout/tenth", attention().dropout(0.1, 1));
        cases.add("dropout/most", attention().dropout(0.9, -2).causal(Alignment.BOTTOM_RIGHT));
        cases.add(
                "dropout/packed",
                SMALL.withBatch(1).withLengths(33, 47),
                attention()
                        .cumulativeLengths(new int[] {0, 5, 5, 20, 33}, new int[] {0, 9, 14, 14, 47})
                        .window(11, 2)
                        .dropout(0.5, Long.MIN_VALUE + 3));
        expressions(cases);
        cases.add(
                "order/everything",
                attention()
                        .scale(0.5)
                        .softcap(2)
                        .bias(bias(19, true, HEADS, QUERIES, KEYS))
                        .mask(mask(20, BATCH, 1, QUERIES, KEYS))
                        .causal(Alignment.BOTTOM_RIGHT)
                        .window(25, 0)
                        .alibiSlopes(slopes(HEADS))
                        .sinks(sinks()));
        return cases.all();
    }

    private static void expressions(ProblemCases cases) {
        ScoreParameters none = ScoreParameters.NONE;
        int[] documents = new int[Math.max(QUERIES, KEYS)];
        Arrays.setAll(documents, token -> token / 11);
        cases.add(
                "expressions/alibi",
                attention()
                        .score(ScoreExpressions.ALIBI, none.with("slope", slopes(HEADS)))
                        .align(Alignment.BOTTOM_RIGHT));
        cases.add(
                "expressions/softcap-causal",
                attention()
                        .score(ScoreExpressions.SOFTCAP, none.with("cap", 1.5))
                        .causal(Alignment.BOTTOM_RIGHT));
        cases.add(
                "expressions/documents",
                attention()
                        .maskIf(
                                ScoreExpressions.DOCUMENTS.and(ScoreExpressions.CAUSAL),
                                none.with("document", documents)));
        cases.add(
                "expressions/relative-bias",
                attention()
                        .score(
                                ScoreExpressions.RELATIVE_BIAS,
                                none.with("bias", Tensor.random(22, 8, HEADS))
                                        .with("bucket", ScoreExpressions.t5Buckets(16, 8, true))
                                        .with("distance", 16))
                        .mask(mask(23, QUERIES, KEYS)));
        cases.add("expressions/random", RandomExpression.draw(1).addTo(attention()));
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
    private static ConformanceCase infiniteValue() {
        AttentionProblem problem = SMALL.withLengths(1, KEYS).problem(DType.FLOAT32, Attention.DEFAULT);
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
