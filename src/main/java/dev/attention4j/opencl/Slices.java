package dev.attention4j.opencl;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.spi.Slice;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/** Cuts calls that are too large for their device into slices that fit. */
final class Slices {
    private Slices() {}

    /**
     * Cuts a call that is too large for its device into slices that fit, in the order of their results: over the batch,
     * else over the key/value heads of a batch row, else over the query heads of a key/value head, else over the
     * queries of a head. Keys are never cut, nor are rows that a plan computes together, so that results have the same
     * bits however small the slices. Empty if not even {@link #least} fits.
     *
     * @param fits true for a slice that does; then each smaller one does too, wherever it lies
     */
    static List<Slice> cut(AttentionProblem problem, Division division, Predicate<Slice> fits) {
        Slice whole = Slice.whole(problem);
        if (whole.rows() == 0 || fits.test(whole)) {
            return List.of(whole);
        }
        if (!fits.test(least(problem, division))) {
            return List.of();
        }
        // Slices of all batch rows are alike: the largest that fits is found once.
        Slice most = largest(problem, division, fits);
        int group = problem.queryHeads() / problem.keyValueHeads();
        int boundary = most.heads() % group == 0 ? problem.queryHeads() : group;
        List<Slice> slices = new ArrayList<>();
        for (int row = 0; row < problem.batch(); row += most.batchRows()) {
            int rows = Math.min(most.batchRows(), problem.batch() - row);
            for (int first = 0; first < problem.queryHeads(); first += boundary) {
                for (int head = first; head < first + boundary; head += most.heads()) {
                    int few = Math.min(most.heads(), first + boundary - head);
                    for (int query = 0; query < problem.queryLength(); query += most.queries()) {
                        int queries = Math.min(most.queries(), problem.queryLength() - query);
                        slices.add(new Slice(row, rows, head, few, query, queries));
                    }
                }
            }
        }
        return slices;
    }

    /** Returns what cannot be cut further: the rows that are computed together, with all their keys. */
    static Slice least(AttentionProblem problem, Division division) {
        int queries = division.sliceQueries(problem.queryLength());
        return queries == 0
                ? first(1, problem.queryHeads() / problem.keyValueHeads(), problem.queryLength())
                : first(1, 1, Math.min(queries, problem.queryLength()));
    }

    private static Slice first(int batchRows, int heads, int queries) {
        return new Slice(0, batchRows, 0, heads, 0, queries);
    }

    private static Slice largest(AttentionProblem problem, Division division, Predicate<Slice> fits) {
        int heads = problem.queryHeads();
        int group = heads / problem.keyValueHeads();
        int queries = problem.queryLength();
        if (fits.test(first(1, heads, queries))) {
            return most(problem.batch(), rows -> first(rows, heads, queries), fits);
        }
        if (fits.test(first(1, group, queries))) {
            return most(problem.keyValueHeads(), groups -> first(1, groups * group, queries), fits);
        }
        if (fits.test(first(1, 1, queries))) {
            return most(group, few -> first(1, few, queries), fits);
        }
        int step = division.sliceQueries(queries);
        return most((queries + step - 1) / step, few -> first(1, 1, Math.min(few * step, queries)), fits);
    }

    /** Returns the largest slice that fits, if one of 1 does and one of all does not. */
    private static Slice most(int all, IntFunction<Slice> slice, Predicate<Slice> fits) {
        int fitting = 1;
        int tooMany = all;
        while (tooMany - fitting > 1) {
            int middle = (fitting + tooMany) >>> 1;
            if (fits.test(slice.apply(middle))) {
                fitting = middle;
            } else {
                tooMany = middle;
            }
        }
        return slice.apply(fitting);
    }
}
