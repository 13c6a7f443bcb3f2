package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.attention;
import static dev.attention4j.conformance.suite.ProblemCases.small;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.measure.Inputs;
import dev.attention4j.opencl.tuning.StorageName;
import java.util.List;
import java.util.function.UnaryOperator;

/** Sizes, layouts and storage of tensors, down to no elements at all. */
final class ShapeCases {
    private static final int[] WIDTHS = {1, 2, 3, 5, 8, 16, 31, 32, 33, 48, 64, 65, 80, 96, 128, 160, 256, 512};
    private static final int[][] LENGTHS = {{1, 1}, {1, 2}, {2, 1}, {1, 1030}, {3, 150}, {16, 16}, {129, 17}, {300, 3}};

    private ShapeCases() {}

    static List<ConformanceCase> all() {
        ProblemCases cases = new ProblemCases();
        for (int[] heads : new int[][] {{1, 1}, {4, 4}, {6, 2}, {8, 1}}) {
            cases.add("heads/" + heads[0] + "-over-" + heads[1], SMALL.withHeads(heads[0], heads[1]), attention());
        }
        cases.add("heads/group-of-one-query", SMALL.withHeads(8, 2).withLengths(1, 70), attention());
        for (int width : WIDTHS) {
            // Two heads: the widest are to be quick enough for an emulator.
            cases.add("width/" + width, SMALL.withHeads(2, 1).withWidths(width, width), attention());
        }
        cases.add("width/values-wider", SMALL.withWidths(7, 50), attention());
        cases.add("width/values-narrower", SMALL.withWidths(50, 7), attention());
        for (int[] lengths : LENGTHS) {
            cases.add(
                    "length/" + lengths[0] + "x" + lengths[1], SMALL.withLengths(lengths[0], lengths[1]), attention());
        }
        for (int keys : new int[] {100_000, 1_000_000}) {
            cases.add(equalKeys(keys));
        }
        layout(cases);
        storage(cases);
        nothing(cases);
        return cases.all();
    }

    /** The mean of equal values is that value, however many there are: one running sum would drift. */
    private static ConformanceCase equalKeys(int keys) {
        Attention logSumExp = attention().logSumExp(true).build();
        AttentionProblem problem = new AttentionProblem(1, 1, 1, 1, keys, 4, 4, DType.FLOAT32, logSumExp);
        return ProblemCases.of("length/1x" + keys + "-equal-keys", problem, () -> {
            float[] values = new float[4 * keys];
            for (int n = 0; n < values.length; n++) {
                values[n] = 0.1f * (1 + n % 4);
            }
            return new Inputs(
                    Tensor.random(1, 1, 1, 1, 4),
                    Tensor.zeros(DType.FLOAT32, 1, 1, keys, 4),
                    Tensor.of(values, 1, 1, keys, 4),
                    logSumExp);
        });
    }

    private static void layout(ProblemCases cases) {
        AttentionProblem problem =
                small(attention().logSumExp(true).weights(true).build());
        laidOut(cases, "layout/batch-length-heads", problem, tensor -> tensor.permute(0, 2, 1, 3)
                .contiguous()
                .permute(0, 2, 1, 3));
        laidOut(cases, "layout/width-first", problem, tensor -> tensor.permute(3, 0, 1, 2)
                .contiguous()
                .permute(1, 2, 3, 0));
        laidOut(cases, "layout/repeated-heads", problem, tensor -> tensor.slice(1, 0, 1)
                .broadcast(tensor.shape()));
        // A part of a larger tensor, that begins at an odd element.
        laidOut(cases, "layout/slice", problem, tensor -> {
            Tensor larger =
                    Tensor.random(9, tensor.size(0) + 1, tensor.size(1), tensor.size(2) + 3, tensor.size(3) + 5);
            Tensor part = larger;
            for (int axis = 0; axis < 4; axis++) {
                part = part.slice(axis, larger.size(axis) - tensor.size(axis), larger.size(axis));
            }
            return part;
        });
    }

    private static void laidOut(
            ProblemCases cases, String name, AttentionProblem problem, UnaryOperator<Tensor> layout) {
        cases.add(ProblemCases.of(name, problem, () -> {
            Inputs plain = Inputs.of(problem);
            return new Inputs(
                    layout.apply(plain.query()),
                    layout.apply(plain.key()),
                    layout.apply(plain.value()),
                    problem.attention());
        }));
    }

    private static void storage(ProblemCases cases) {
        for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
            String name = StorageName.of(dtype) + "/";
            cases.add(name + "plain", dtype, SMALL, attention());
            cases.add(name + "causal", dtype, SMALL, attention().causal(Alignment.BOTTOM_RIGHT));
            cases.add(name + "key-lengths", dtype, SMALL, attention().keyLengths(0, 30));
            cases.add(name + "mask", dtype, SMALL, attention().mask(ScoreCases.mask(1, QUERIES, KEYS)));
            cases.add(name + "one-query", dtype, SMALL.withLengths(1, 150), attention());
            cases.add(name + "odd-widths", dtype, SMALL.withWidths(33, 35), attention());
        }
        cases.add(mixedStorage());
    }

    /** A cache of 16 bits under float32 queries. */
    private static ConformanceCase mixedStorage() {
        AttentionProblem problem =
                small(attention().causal(Alignment.BOTTOM_RIGHT).logSumExp(true).build());
        return ProblemCases.of("float16/keys-and-values", problem, () -> {
            Inputs plain = Inputs.of(problem);
            return plain.withKey(plain.key().to(DType.FLOAT16))
                    .withValue(plain.value().to(DType.FLOAT16));
        });
    }

    /** No elements, and queries that see no key: zeros and −∞, never NaN. */
    private static void nothing(ProblemCases cases) {
        cases.add("empty/no-batch", SMALL.withBatch(0), attention());
        cases.add("empty/no-queries", SMALL.withLengths(0, KEYS), attention());
        cases.add("empty/no-keys", SMALL.withLengths(QUERIES, 0), attention());
        cases.add("empty/neither", SMALL.withLengths(0, 0), attention());
        cases.add("unseen/by-mask", attention().mask(ScoreCases.filled(false, QUERIES, KEYS)));
        cases.add("unseen/by-mask-of-a-row", attention().mask(half()));
        cases.add("unseen/by-bias", attention().bias(Tensor.of(new float[] {Float.NEGATIVE_INFINITY}, 1)));
        cases.add("unseen/by-causal", SMALL.withLengths(37, 19), attention().causal(Alignment.BOTTOM_RIGHT));
        cases.add("unseen/by-window", SMALL.withLengths(60, 20), attention().window(2, 2));
        cases.add("unseen/by-key-length", attention().keyLengths(0, 0));
        cases.add("unseen/by-offset", attention().causalOffsets(-1000));
    }

    /** The first batch row sees all keys, the second none. */
    private static Tensor half() {
        boolean[] mask = new boolean[BATCH];
        mask[0] = true;
        return Tensor.of(mask, BATCH, 1, 1, 1);
    }
}
