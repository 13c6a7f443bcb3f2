package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/**
 * A part of a call that is a call of its own: some batch rows, of one batch row some heads, or of one head some
 * queries; its results are one after another in the results of the whole. The heads are whole groups, or of one group.
 *
 * <p>Tensors are views of the whole's. Each query attends to the keys that it attends to in the whole, and has its
 * position there.
 *
 * @param heads the number of query heads
 */
record Slice(int firstBatchRow, int batchRows, int firstHead, int heads, int firstQuery, int queries) {
    /** Returns all of a problem. */
    static Slice whole(AttentionProblem problem) {
        return new Slice(0, problem.batch(), 0, problem.queryHeads(), 0, problem.queryLength());
    }

    /**
     * Cuts a call that is too large for its device into slices that fit, in the order of their results: over the batch,
     * else over the key/value heads of a batch row, else over the query heads of a key/value head, else over the
     * queries of a head. Keys are never cut, nor are rows that a plan computes together, so that results have the same
     * bits however small the slices. Empty if not even {@link #least} fits.
     *
     * @param fits true for a slice that does; then each smaller one does too, wherever it lies
     */
    static List<Slice> cut(AttentionProblem problem, Division division, Predicate<Slice> fits) {
        Slice whole = whole(problem);
        if (whole.rows() == 0 || fits.test(whole)) {
            return List.of(whole);
        }
        if (!fits.test(least(problem, division))) {
            return List.of();
        }
        // Slices of all batch rows are alike: the largest that fits is found once.
        Slice most = largest(problem, division, fits);
        int group = problem.queryHeads() / problem.keyValueHeads();
        int boundary = most.heads % group == 0 ? problem.queryHeads() : group;
        List<Slice> slices = new ArrayList<>();
        for (int row = 0; row < problem.batch(); row += most.batchRows) {
            int rows = Math.min(most.batchRows, problem.batch() - row);
            for (int first = 0; first < problem.queryHeads(); first += boundary) {
                for (int head = first; head < first + boundary; head += most.heads) {
                    int few = Math.min(most.heads, first + boundary - head);
                    for (int query = 0; query < problem.queryLength(); query += most.queries) {
                        int queries = Math.min(most.queries, problem.queryLength() - query);
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

    /** The first of its rows of output, counted in the whole's. */
    long firstRow(AttentionProblem whole) {
        return ((long) firstBatchRow * whole.queryHeads() + firstHead) * whole.queryLength() + firstQuery;
    }

    /** The number of its rows of output. */
    long rows() {
        return (long) batchRows * heads * queries;
    }

    /** Returns this part of a call. */
    AttentionCall of(AttentionCall whole) {
        AttentionProblem problem = whole.problem();
        if (rows() == whole(problem).rows()) {
            return whole;
        }
        int group = problem.queryHeads() / problem.keyValueHeads();
        int firstKeyHead = firstHead / group;
        int endKeyHead = (firstHead + heads + group - 1) / group;
        Tensor query = batchRowsOf(whole.query())
                .slice(1, firstHead, firstHead + heads)
                .slice(2, firstQuery, firstQuery + queries);
        Tensor key = batchRowsOf(whole.key()).slice(1, firstKeyHead, endKeyHead);
        Tensor value = batchRowsOf(whole.value()).slice(1, firstKeyHead, endKeyHead);
        AttentionProblem part = AttentionProblem.of(query, key, value, operation(problem));
        return new AttentionCall(
                part,
                AttentionCall.workload(part, query, key, value),
                query,
                key,
                value,
                whole.choice(),
                whole.division(),
                whole.maxScratchBytes());
    }

    private Tensor batchRowsOf(Tensor tensor) {
        return tensor.slice(0, firstBatchRow, firstBatchRow + batchRows);
    }

    private Attention operation(AttentionProblem problem) {
        Attention attention = problem.attention();
        AttentionBuilder part = attention.toBuilder()
                .mask(attention.mask().map(this::ofScores).orElse(null))
                .bias(attention.bias().map(this::ofScores).orElse(null));
        attention
                .queryMask()
                .ifPresent(mask -> part.queryMask(batchRowsOf(mask).slice(1, firstQuery, firstQuery + queries)));
        if (attention.keyLengths().length > 1) {
            part.keyLengths(batchRowsOf(attention.keyLengths()));
        }
        if (attention.alibiSlopes().length > 0) {
            part.alibiSlopes(slopes(problem));
        }
        if (attention.sinks().length > 0) {
            part.sinks(Arrays.copyOfRange(attention.sinks(), firstHead, firstHead + heads));
        }
        if (queries < problem.queryLength()) {
            part.alignOffsets(shiftedOffsets(problem));
            if (attention.isPacked()) {
                part.cumulativeLengths(queryEnds(attention), attention.cumulativeKeyLengths());
            }
        } else if (attention.offsets().length > 1 && !attention.isPacked()) {
            part.alignOffsets(batchRowsOf(attention.offsets()));
        }
        return part.build();
    }

    /** Cuts a mask or bias along the axes along which it is not repeated. */
    private Tensor ofScores(Tensor given) {
        Tensor tensor = given;
        int[] first = {firstBatchRow, firstHead, firstQuery};
        int[] count = {batchRows, heads, queries};
        for (int axis = 0; axis < 3; axis++) {
            int own = axis - (4 - tensor.rank());
            if (own >= 0 && tensor.size(own) > 1) {
                tensor = tensor.slice(own, first[axis], first[axis] + count[axis]);
            }
        }
        return tensor;
    }

    private int[] batchRowsOf(int... numbers) {
        return Arrays.copyOfRange(numbers, firstBatchRow, firstBatchRow + batchRows);
    }

    private float[] slopes(AttentionProblem problem) {
        float[] all = problem.attention().alibiSlopes();
        if (all.length == problem.queryHeads()) {
            return Arrays.copyOfRange(all, firstHead, firstHead + heads);
        }
        // Packed sequences are all in the only batch row.
        int first = problem.attention().isPacked() ? 0 : firstBatchRow;
        int sequences = problem.attention().isPacked() ? problem.sequences() : batchRows;
        float[] part = new float[sequences * heads];
        for (int n = 0; n < sequences; n++) {
            System.arraycopy(all, (first + n) * problem.queryHeads() + firstHead, part, n * heads, heads);
        }
        return part;
    }

    /** Returns the positions of each sequence's first query in this slice. */
    private int[] shiftedOffsets(AttentionProblem problem) {
        Attention attention = problem.attention();
        if (!attention.isPacked()) {
            int[] offsets = new int[batchRows];
            Arrays.setAll(offsets, row -> problem.offset(firstBatchRow + row) + firstQuery);
            return offsets;
        }
        int[] begins = attention.cumulativeQueryLengths();
        int[] offsets = new int[problem.sequences()];
        Arrays.setAll(offsets, n -> problem.offset(n) + Math.max(0, firstQuery - begins[n]));
        return offsets;
    }

    /** Returns where packed sequences begin and end within this slice; those outside are empty. */
    private int[] queryEnds(Attention attention) {
        int[] ends = attention.cumulativeQueryLengths();
        Arrays.setAll(ends, n -> Math.max(firstQuery, Math.min(firstQuery + queries, ends[n])) - firstQuery);
        return ends;
    }
}
