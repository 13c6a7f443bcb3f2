package dev.attention4j.spi;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.expression.Origin;
import java.util.Arrays;

/**
 * A part of a problem that is a problem of its own: some batch rows, of one batch row some heads, or of one head some
 * queries; its results are one after another in the results of the whole. The heads are whole groups, or of one group.
 *
 * <p>Tensors are views of the whole's. Each query attends to the keys that it attends to in the whole, and has its
 * position there.
 *
 * @param heads the number of query heads
 */
public record Slice(int firstBatchRow, int batchRows, int firstHead, int heads, int firstQuery, int queries) {
    /** Returns all of a problem. */
    public static Slice whole(AttentionProblem problem) {
        return new Slice(0, problem.batch(), 0, problem.queryHeads(), 0, problem.queryLength());
    }

    /** The first of its rows of output, counted in the whole's. */
    public long firstRow(AttentionProblem whole) {
        return ((long) firstBatchRow * whole.queryHeads() + firstHead) * whole.queryLength() + firstQuery;
    }

    /** The number of its rows of output. */
    public long rows() {
        return (long) batchRows * heads * queries;
    }

    /** Returns this part of a query [batch, queryHeads, queryLength, headDim]. */
    public Tensor ofQuery(Tensor query) {
        return batchRowsOf(query).slice(1, firstHead, firstHead + heads).slice(2, firstQuery, firstQuery + queries);
    }

    /**
     * Returns this part of a key or value [batch, keyValueHeads, keyLength, width], or of a pool [pages, keyValueHeads,
     * pageSize, width]: the heads that its queries read.
     */
    public Tensor ofKeys(AttentionProblem problem, Tensor keys) {
        int last = problem.keyValueHead(firstHead + heads - 1);
        Tensor rows = problem.attention().pageTable().isPresent() ? keys : batchRowsOf(keys);
        return rows.slice(1, problem.keyValueHead(firstHead), last + 1);
    }

    private Tensor batchRowsOf(Tensor tensor) {
        return tensor.slice(0, firstBatchRow, firstBatchRow + batchRows);
    }

    /** Returns the operation on this part. */
    public Attention operation(AttentionProblem problem) {
        Attention attention = problem.attention();
        AttentionBuilder part = attention.toBuilder()
                .mask(attention.mask().map(this::ofScores).orElse(null))
                .bias(attention.bias().map(this::ofScores).orElse(null));
        attention
                .queryMask()
                .ifPresent(mask -> part.queryMask(batchRowsOf(mask).slice(1, firstQuery, firstQuery + queries)));
        if (!attention.expressions().isEmpty()) {
            part.expressions(attention.expressions().from(origin(problem)));
        }
        attention.pageTable().ifPresent(table -> part.pageTable(batchRowsOf(table)));
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

    /** Returns where this begins, for expressions, which count in the whole. */
    private Origin origin(AttentionProblem problem) {
        Origin whole = problem.attention().expressions().place(problem.queryLength(), problem.keyLength());
        return new Origin(
                whole.batch() + firstBatchRow,
                whole.head() + firstHead,
                whole.keyValueHead() + problem.keyValueHead(firstHead),
                whole.query() + firstQuery,
                whole.queryLength(),
                whole.keyLength());
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
