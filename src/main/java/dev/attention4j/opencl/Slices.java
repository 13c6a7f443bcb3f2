package dev.attention4j.opencl;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/**
 * Cuts a call that is too large for its device into slices that fit, one after another: over the batch, else over the
 * key/value heads of a batch row, else over the query heads of a key/value head, else over the queries of a head. Keys
 * are never cut, nor are rows that a plan computes together, so that results have the same bits however small the slices.
 */
final class Slices {
    private final AttentionProblem problem;
    private final int sliceQueries;
    private final Predicate<Slice> fits;
    private final List<Slice> slices = new ArrayList<>();

    private Slices(AttentionProblem problem, Division division, Predicate<Slice> fits) {
        this.problem = problem;
        sliceQueries = division.sliceQueries(problem.queryLength());
        this.fits = fits;
    }

    /**
     * The slices of a problem, in the order of their results.
     *
     * @param problem the whole
     * @param division of the whole
     * @param fits whether a slice does; it does where a larger one does, wherever it lies
     * @return one if all fits; none if not even {@link #least} does
     */
    static List<Slice> of(AttentionProblem problem, Division division, Predicate<Slice> fits) {
        Slice whole = Slice.whole(problem);
        if (whole.rows() == 0 || fits.test(whole)) {
            return List.of(whole);
        }
        Slices cut = new Slices(problem, division, fits);
        if (fits.test(least(problem, division))) {
            cut.cut();
        }
        return cut.slices;
    }

    /** What cannot be cut further: the rows that are computed together, with all their keys. */
    static Slice least(AttentionProblem problem, Division division) {
        int queries = division.sliceQueries(problem.queryLength());
        return queries == 0
                ? new Slice(0, 1, 0, problem.queryHeads() / problem.keyValueHeads(), 0, problem.queryLength())
                : new Slice(0, 1, 0, 1, 0, Math.min(queries, problem.queryLength()));
    }

    private void cut() {
        int heads = problem.queryHeads();
        int group = heads / problem.keyValueHeads();
        int queries = problem.queryLength();
        if (fits.test(new Slice(0, 1, 0, heads, 0, queries))) {
            addBatchRows(most(problem.batch(), rows -> new Slice(0, rows, 0, heads, 0, queries)));
            return;
        }
        // Slices of all batch rows are alike: what fits is found out once.
        int most;
        if (fits.test(new Slice(0, 1, 0, group, 0, queries))) {
            most = group * most(problem.keyValueHeads(), groups -> new Slice(0, 1, 0, groups * group, 0, queries));
            addHeads(heads, most);
        } else if (fits.test(new Slice(0, 1, 0, 1, 0, queries))) {
            most = most(group, few -> new Slice(0, 1, 0, few, 0, queries));
            addHeads(group, most);
        } else {
            int groups = (queries + sliceQueries - 1) / sliceQueries;
            most = most(groups, few -> new Slice(0, 1, 0, 1, 0, Math.min(few * sliceQueries, queries)));
            addQueries(most * sliceQueries);
        }
    }

    /** The largest number of which a slice fits, if one of 1 does and one of all does not. */
    private int most(int all, IntFunction<Slice> slice) {
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
        return fitting;
    }

    private void addBatchRows(int most) {
        for (int row = 0; row < problem.batch(); row += most) {
            int rows = Math.min(most, problem.batch() - row);
            slices.add(new Slice(row, rows, 0, problem.queryHeads(), 0, problem.queryLength()));
        }
    }

    /** Some heads at a time, but never across a boundary of so many. */
    private void addHeads(int boundary, int most) {
        for (int row = 0; row < problem.batch(); row++) {
            for (int first = 0; first < problem.queryHeads(); first += boundary) {
                for (int head = first; head < first + boundary; head += most) {
                    int heads = Math.min(most, first + boundary - head);
                    slices.add(new Slice(row, 1, head, heads, 0, problem.queryLength()));
                }
            }
        }
    }

    private void addQueries(int most) {
        for (int row = 0; row < problem.batch(); row++) {
            for (int head = 0; head < problem.queryHeads(); head++) {
                for (int query = 0; query < problem.queryLength(); query += most) {
                    slices.add(new Slice(row, 1, head, 1, query, Math.min(most, problem.queryLength() - query)));
                }
            }
        }
    }
}
