package dev.attention4j.conformance.suite;

import static dev.attention4j.conformance.suite.ProblemCases.BATCH;
import static dev.attention4j.conformance.suite.ProblemCases.QUERIES;
import static dev.attention4j.conformance.suite.ProblemCases.SMALL;
import static dev.attention4j.conformance.suite.ProblemCases.attention;

import dev.attention4j.Alignment;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.measure.AttentionShape;
import java.util.List;

/** Options that choose keys by the position of a query: causal, windows, offsets, key lengths, query masks and packed sequences. */
final class PositionCases {
    private PositionCases() {}

    static List<ConformanceCase> all() {
        ProblemCases cases = new ProblemCases();
        causal(cases);
        window(cases);
        lengths(cases);
        queryMask(cases);
        packed(cases);
        return cases.all();
    }

    private static void causal(ProblemCases cases) {
        // The pictures of the documentation: more keys than queries, and more queries than keys.
        for (Alignment alignment : Alignment.values()) {
            String name = "causal/" + (alignment == Alignment.TOP_LEFT ? "top-left" : "bottom-right");
            cases.add(name + "-2x5", SMALL.withLengths(2, 5), attention().causal(alignment));
            cases.add(name + "-5x2", SMALL.withLengths(5, 2), attention().causal(alignment));
            cases.add(name + "-19x37", attention().causal(alignment));
            cases.add(name + "-67x131", SMALL.withLengths(67, 131), attention().causal(alignment));
        }
        cases.add("causal/square", SMALL.withLengths(65, 65), attention().causal(Alignment.TOP_LEFT));
        cases.add("causal/one-query", SMALL.withLengths(1, 70), attention().causal(Alignment.BOTTOM_RIGHT));
        cases.add("offsets/one-for-all", attention().causalOffsets(9));
        cases.add("offsets/of-each-row", attention().causalOffsets(0, 18));
        cases.add("offsets/before-the-first-key", attention().causalOffsets(-5, -40));
        cases.add("offsets/beyond-the-last-key", attention().causalOffsets(100, 1_000_000));
    }

    private static void window(ProblemCases cases) {
        AttentionShape shape = SMALL.withLengths(35, 70);
        cases.add("window/left-and-right", shape, attention().window(4, 7));
        cases.add("window/left-only", shape, attention().window(6, -1));
        cases.add("window/right-only", shape, attention().window(-1, 3));
        cases.add("window/itself-alone", shape, attention().window(0, 0));
        cases.add("window/unbounded", shape, attention().window(-1, -1));
        cases.add("window/wider-than-the-keys", shape, attention().window(500, 500));
        cases.add("window/bottom-right", shape, attention().window(9, 2).align(Alignment.BOTTOM_RIGHT));
        cases.add("window/causal", shape, attention().window(9, -1).causal(Alignment.BOTTOM_RIGHT));
        cases.add("window/offsets", shape, attention().window(3, 3).alignOffsets(-10, 60));
    }

    private static void lengths(ProblemCases cases) {
        cases.add("key-lengths/one-for-all", attention().keyLengths(20));
        cases.add("key-lengths/of-each-row", attention().keyLengths(37, 5));
        cases.add("key-lengths/none-in-a-row", attention().keyLengths(0, 12));
        cases.add("key-lengths/causal", attention().keyLengths(30, 8).causal(Alignment.BOTTOM_RIGHT));
        cases.add("key-lengths/one-query", SMALL.withLengths(1, 70), attention().keyLengths(70, 33));
        cases.add("key-lengths/window", attention().keyLengths(30, 8).window(5, 5));
    }

    private static void queryMask(ProblemCases cases) {
        cases.add("query-mask/plain", attention().queryMask(every(3, BATCH, QUERIES)));
        cases.add(
                "query-mask/window",
                attention().queryMask(every(2, BATCH, QUERIES)).window(3, 4));
        cases.add(
                "query-mask/key-lengths-and-sinks",
                attention()
                        .queryMask(every(3, BATCH, QUERIES))
                        .keyLengths(30, 8)
                        .sinks(0.5f, 1, -1, 2));
        cases.add("query-mask/one-query", SMALL.withLengths(1, 70), attention().queryMask(every(2, BATCH, 1)));
    }

    /** True but for every n-th query. */
    private static Tensor every(int n, int batch, int queries) {
        boolean[] attends = new boolean[batch * queries];
        for (int query = 0; query < attends.length; query++) {
            attends[query] = query % n != n - 1;
        }
        return Tensor.of(attends, batch, queries);
    }

    private static void packed(ProblemCases cases) {
        AttentionShape shape = SMALL.withBatch(1).withLengths(33, 47);
        int[] queries = {0, 5, 5, 20, 33};
        int[] keys = {0, 9, 14, 14, 47};
        cases.add("packed/plain", shape, attention().cumulativeLengths(queries, keys));
        cases.add("packed/one-sequence", shape, attention().cumulativeLengths(new int[] {0, 33}, new int[] {0, 47}));
        for (Alignment alignment : Alignment.values()) {
            cases.add(
                    "packed/causal-" + (alignment == Alignment.TOP_LEFT ? "top-left" : "bottom-right"),
                    shape,
                    attention().cumulativeLengths(queries, keys).causal(alignment));
        }
        cases.add(
                "packed/window",
                shape,
                attention().cumulativeLengths(queries, keys).window(3, 1));
        cases.add(
                "packed/offsets",
                shape,
                attention().cumulativeLengths(queries, keys).causalOffsets(1, 0, 4, 20));
    }
}
