package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import java.util.Arrays;

/**
 * A part of a call that is a call of its own: some batch rows, of one batch row some heads, or of one head some
 * queries; its results are one after another in the results of the whole. The heads are whole groups, or of one group.
 *
 * <p>Tensors are views of the whole's. Each query sees the keys that it sees in the whole, and stands where it stands
 * there.
 *
 * @param firstBatchRow of the whole
 * @param batchRows how many
 * @param firstHead query head of the whole
 * @param heads how many query heads
 * @param firstQuery of the whole
 * @param queries how many
 */
record Slice(int firstBatchRow, int batchRows, int firstHead, int heads, int firstQuery, int queries) {
    /** All of a problem. */
    static Slice whole(AttentionProblem problem) {
        return new Slice(0, problem.batch(), 0, problem.queryHeads(), 0, problem.queryLength());
    }

    /** The first of its rows of output, counted in the whole's. */
    long firstRow(AttentionProblem whole) {
        return ((long) firstBatchRow * whole.queryHeads() + firstHead) * whole.queryLength() + firstQuery;
    }

    /** How many rows of output. */
    long rows() {
        return (long) batchRows * heads * queries;
    }

    /** This part of a call. */
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
        return new AttentionCall(
                AttentionProblem.of(query, key, value, operation(problem)), query, key, value, whole.maxScratchBytes());
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

    /** A mask or bias: the axes along which it is not repeated. */
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

    /** Where each sequence's first query of this slice stands, were it a sequence's first. */
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

    /** Where packed sequences begin and end within this slice; those outside are empty. */
    private int[] queryEnds(Attention attention) {
        int[] ends = attention.cumulativeQueryLengths();
        Arrays.setAll(ends, n -> Math.max(firstQuery, Math.min(firstQuery + queries, ends[n])) - firstQuery);
        return ends;
    }
}
