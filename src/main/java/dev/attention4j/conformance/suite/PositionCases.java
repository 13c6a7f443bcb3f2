package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import java.util.ArrayList;
import java.util.List;

/** Which keys a query may see by its position: causal, windows, offsets, key lengths, query masks and packed sequences. */
final class PositionCases {
    private PositionCases() {}

    static List<SuiteCase> all() {
        List<SuiteCase> cases = new ArrayList<>();
        causal(cases);
        window(cases);
        lengths(cases);
        queryMask(cases);
        packed(cases);
        return cases;
    }

    private static void causal(List<SuiteCase> cases) {
        // The pictures of the documentation: more keys than queries, and more queries than keys.
        for (Alignment alignment : Alignment.values()) {
            String name = "causal/" + (alignment == Alignment.TOP_LEFT ? "top-left" : "bottom-right");
            add(
                    cases,
                    name + "-2x5",
                    ProblemCases.SMALL.withLengths(2, 5),
                    Attention.builder().causal(alignment));
            add(
                    cases,
                    name + "-5x2",
                    ProblemCases.SMALL.withLengths(5, 2),
                    Attention.builder().causal(alignment));
            add(cases, name + "-19x37", ProblemCases.SMALL, Attention.builder().causal(alignment));
            add(
                    cases,
                    name + "-67x131",
                    ProblemCases.SMALL.withLengths(67, 131),
                    Attention.builder().causal(alignment));
        }
        add(
                cases,
                "causal/square",
                ProblemCases.SMALL.withLengths(65, 65),
                Attention.builder().causal(Alignment.TOP_LEFT));
        add(
                cases,
                "causal/one-query",
                ProblemCases.SMALL.withLengths(1, 70),
                Attention.builder().causal(Alignment.BOTTOM_RIGHT));
        add(
                cases,
                "offsets/one-for-all",
                ProblemCases.SMALL,
                Attention.builder().causalOffsets(9));
        add(
                cases,
                "offsets/of-each-row",
                ProblemCases.SMALL,
                Attention.builder().causalOffsets(0, 18));
        add(
                cases,
                "offsets/before-the-first-key",
                ProblemCases.SMALL,
                Attention.builder().causalOffsets(-5, -40));
        add(
                cases,
                "offsets/beyond-the-last-key",
                ProblemCases.SMALL,
                Attention.builder().causalOffsets(100, 1_000_000));
    }

    private static void window(List<SuiteCase> cases) {
        AttentionShape shape = ProblemCases.SMALL.withLengths(35, 70);
        add(cases, "window/left-and-right", shape, Attention.builder().window(4, 7));
        add(cases, "window/left-only", shape, Attention.builder().window(6, -1));
        add(cases, "window/right-only", shape, Attention.builder().window(-1, 3));
        add(cases, "window/itself-alone", shape, Attention.builder().window(0, 0));
        add(cases, "window/unbounded", shape, Attention.builder().window(-1, -1));
        add(cases, "window/wider-than-the-keys", shape, Attention.builder().window(500, 500));
        add(
                cases,
                "window/bottom-right",
                shape,
                Attention.builder().window(9, 2).align(Alignment.BOTTOM_RIGHT));
        add(cases, "window/causal", shape, Attention.builder().window(9, -1).causal(Alignment.BOTTOM_RIGHT));
        add(cases, "window/offsets", shape, Attention.builder().window(3, 3).alignOffsets(-10, 60));
    }

    private static void lengths(List<SuiteCase> cases) {
        add(
                cases,
                "key-lengths/one-for-all",
                ProblemCases.SMALL,
                Attention.builder().keyLengths(20));
        add(
                cases,
                "key-lengths/of-each-row",
                ProblemCases.SMALL,
                Attention.builder().keyLengths(37, 5));
        add(
                cases,
                "key-lengths/none-in-a-row",
                ProblemCases.SMALL,
                Attention.builder().keyLengths(0, 12));
        add(
                cases,
                "key-lengths/causal",
                ProblemCases.SMALL,
                Attention.builder().keyLengths(30, 8).causal(Alignment.BOTTOM_RIGHT));
        add(
                cases,
                "key-lengths/one-query",
                ProblemCases.SMALL.withLengths(1, 70),
                Attention.builder().keyLengths(70, 33));
        add(
                cases,
                "key-lengths/window",
                ProblemCases.SMALL,
                Attention.builder().keyLengths(30, 8).window(5, 5));
    }

    private static void queryMask(List<SuiteCase> cases) {
        add(cases, "query-mask/plain", ProblemCases.SMALL, Attention.builder().queryMask(every(3, BATCH, QUERIES)));
        add(
                cases,
                "query-mask/window",
                ProblemCases.SMALL,
                Attention.builder().queryMask(every(2, BATCH, QUERIES)).window(3, 4));
        add(
                cases,
                "query-mask/key-lengths-and-sinks",
                ProblemCases.SMALL,
                Attention.builder()
                        .queryMask(every(3, BATCH, QUERIES))
                        .keyLengths(30, 8)
                        .sinks(0.5f, 1, -1, 2));
        add(
                cases,
                "query-mask/one-query",
                ProblemCases.SMALL.withLengths(1, 70),
                Attention.builder().queryMask(every(2, BATCH, 1)));
    }

    /** True but for every n-th query. */
    private static Tensor every(int n, int batch, int queries) {
        boolean[] attends = new boolean[batch * queries];
        for (int query = 0; query < attends.length; query++) {
            attends[query] = query % n != n - 1;
        }
        return Tensor.of(attends, batch, queries);
    }

    private static void packed(List<SuiteCase> cases) {
        AttentionShape shape = ProblemCases.SMALL.withBatch(1).withLengths(33, 47);
        int[] queries = {0, 5, 5, 20, 33};
        int[] keys = {0, 9, 14, 14, 47};
        add(cases, "packed/plain", shape, Attention.builder().cumulativeLengths(queries, keys));
        add(cases, "packed/one-sequence", shape, Attention.builder().cumulativeLengths(new int[] {0, 33}, new int[] {
            0, 47
        }));
        for (Alignment alignment : Alignment.values()) {
            add(
                    cases,
                    "packed/causal-" + (alignment == Alignment.TOP_LEFT ? "top-left" : "bottom-right"),
                    shape,
                    Attention.builder().cumulativeLengths(queries, keys).causal(alignment));
        }
        add(
                cases,
                "packed/window",
                shape,
                Attention.builder().cumulativeLengths(queries, keys).window(3, 1));
        add(
                cases,
                "packed/offsets",
                shape,
                Attention.builder().cumulativeLengths(queries, keys).causalOffsets(1, 0, 4, 20));
        add(
                cases,
                "packed/alibi",
                shape,
                Attention.builder().cumulativeLengths(queries, keys).alibiSlopes(0.5f, 0.25f, 0.1f, 0));
    }

    private static void add(List<SuiteCase> cases, String name, AttentionShape shape, AttentionBuilder attention) {
        cases.add(ProblemCases.of(
                name,
                shape.problem(
                        DType.FLOAT32, attention.logSumExp(true).weights(true).build())));
    }
}
