package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.KEYS;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.opencl.tuning.StorageName;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Sizes, layouts and storage: what is there to compute on, down to nothing at all. */
final class ShapeCases {
    private static final int[] WIDTHS = {1, 2, 3, 5, 8, 16, 31, 32, 33, 48, 64, 65, 80, 96, 128, 160, 256, 512};
    private static final int[][] LENGTHS = {{1, 1}, {1, 2}, {2, 1}, {1, 1030}, {3, 150}, {16, 16}, {129, 17}, {300, 3}};

    private ShapeCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        Attention all = asked(Attention.builder());
        for (int[] heads : new int[][] {{1, 1}, {4, 4}, {6, 2}, {8, 1}}) {
            add(
                    cases,
                    "heads/" + heads[0] + "-over-" + heads[1],
                    ProblemCases.SMALL.withHeads(heads[0], heads[1]),
                    all);
        }
        add(
                cases,
                "heads/group-of-one-query",
                ProblemCases.SMALL.withHeads(8, 2).withLengths(1, 70),
                all);
        for (int width : WIDTHS) {
            // Two heads: the widest are to be quick enough for an emulator.
            add(cases, "width/" + width, ProblemCases.SMALL.withHeads(2, 1).withWidths(width, width), all);
        }
        add(cases, "width/values-wider", ProblemCases.SMALL.withWidths(7, 50), all);
        add(cases, "width/values-narrower", ProblemCases.SMALL.withWidths(50, 7), all);
        for (int[] lengths : LENGTHS) {
            add(
                    cases,
                    "length/" + lengths[0] + "x" + lengths[1],
                    ProblemCases.SMALL.withLengths(lengths[0], lengths[1]),
                    all);
        }
        for (int keys : new int[] {100_000, 1_000_000}) {
            cases.add(equalKeys(keys));
        }
        layout(cases, all);
        storage(cases);
        nothing(cases);
        return cases;
    }

    /** The mean of equal values is that value, however many there are: one running sum would drift. */
    private static SuiteCase equalKeys(int keys) {
        Attention logSumExp = Attention.builder().logSumExp(true).build();
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

    private static void layout(List<SuiteCase> cases, Attention attention) {
        AttentionProblem problem = ProblemCases.small(attention);
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
            List<SuiteCase> cases, String name, AttentionProblem problem, UnaryOperator<Tensor> layout) {
        cases.add(ProblemCases.of(name, problem, () -> {
            Inputs plain = Inputs.of(problem);
            return new Inputs(
                    layout.apply(plain.query()),
                    layout.apply(plain.key()),
                    layout.apply(plain.value()),
                    problem.attention());
        }));
    }

    private static void storage(List<SuiteCase> cases) {
        for (DType dtype : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
            String name = StorageName.of(dtype) + "/";
            stored(cases, name + "plain", dtype, ProblemCases.SMALL, Attention.builder());
            stored(
                    cases,
                    name + "causal",
                    dtype,
                    ProblemCases.SMALL,
                    Attention.builder().causal(Alignment.BOTTOM_RIGHT));
            stored(
                    cases,
                    name + "key-lengths",
                    dtype,
                    ProblemCases.SMALL,
                    Attention.builder().keyLengths(0, 30));
            stored(
                    cases,
                    name + "mask",
                    dtype,
                    ProblemCases.SMALL,
                    Attention.builder().mask(ScoreCases.mask(1, QUERIES, KEYS)));
            stored(cases, name + "one-query", dtype, ProblemCases.SMALL.withLengths(1, 150), Attention.builder());
            stored(cases, name + "odd-widths", dtype, ProblemCases.SMALL.withWidths(33, 35), Attention.builder());
        }
    }

    private static void stored(
            List<SuiteCase> cases, String name, DType dtype, AttentionShape shape, AttentionBuilder attention) {
        cases.add(ProblemCases.of(name, shape.problem(dtype, asked(attention))));
    }

    /** No elements, and queries that see no key: zeros and −∞, never NaN. */
    private static void nothing(List<SuiteCase> cases) {
        Attention all = asked(Attention.builder());
        add(cases, "empty/no-batch", ProblemCases.SMALL.withBatch(0), all);
        add(cases, "empty/no-queries", ProblemCases.SMALL.withLengths(0, KEYS), all);
        add(cases, "empty/no-keys", ProblemCases.SMALL.withLengths(QUERIES, 0), all);
        add(cases, "empty/neither", ProblemCases.SMALL.withLengths(0, 0), all);
        add(
                cases,
                "unseen/by-mask",
                ProblemCases.SMALL,
                asked(Attention.builder().mask(ScoreCases.filled(false, QUERIES, KEYS))));
        add(
                cases,
                "unseen/by-mask-of-a-row",
                ProblemCases.SMALL,
                asked(Attention.builder().mask(half())));
        add(
                cases,
                "unseen/by-bias",
                ProblemCases.SMALL,
                asked(Attention.builder().bias(Tensor.of(new float[] {Float.NEGATIVE_INFINITY}, 1))));
        add(
                cases,
                "unseen/by-causal",
                ProblemCases.SMALL.withLengths(37, 19),
                asked(Attention.builder().causal(Alignment.BOTTOM_RIGHT)));
        add(
                cases,
                "unseen/by-window",
                ProblemCases.SMALL.withLengths(60, 20),
                asked(Attention.builder().window(2, 2)));
        add(
                cases,
                "unseen/by-key-length",
                ProblemCases.SMALL,
                asked(Attention.builder().keyLengths(0, 0)));
        add(
                cases,
                "unseen/by-offset",
                ProblemCases.SMALL,
                asked(Attention.builder().causalOffsets(-1000)));
    }

    /** The first batch row sees all keys, the second none. */
    private static Tensor half() {
        boolean[] mask = new boolean[BATCH];
        mask[0] = true;
        return Tensor.of(mask, BATCH, 1, 1, 1);
    }

    private static void add(List<SuiteCase> cases, String name, AttentionShape shape, Attention attention) {
        cases.add(ProblemCases.of(name, shape.problem(DType.FLOAT32, attention)));
    }

    private static Attention asked(AttentionBuilder attention) {
        return attention.logSumExp(true).weights(true).build();
    }
}
