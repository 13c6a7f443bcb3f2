package dev.attention4j.opencl.plan;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;

/** The arguments of {@code opencl/common/key_range.clh}. */
public final class KeyRanges {
    /** Ints of a row of the table: begin, end, position, sequence. */
    private static final int ROW = 4;

    private KeyRanges() {}

    /**
     * Whether offset, left and right cannot say it all, because batch rows differ, sequences are packed or some queries are masked.
     *
     * @param attention the operation
     * @return true if kernels need the {@link #table}
     */
    public static boolean areNeeded(Attention attention) {
        return attention.offsets().length > 1
                || attention.keyLengths().length > 0
                || attention.isPacked()
                || attention.queryMask().isPresent();
    }

    /**
     * Says for each query which keys it may see.
     *
     * @param problem any
     * @return [batch, queryLength, 4] of begin, end, position and sequence
     */
    public static int[] table(AttentionProblem problem) {
        int rows = Math.multiplyExact(problem.batch(), problem.queryLength());
        int[] table = new int[Math.multiplyExact(ROW, rows)];
        for (int row = 0; row < rows; row++) {
            KeyRange range = problem.keyRange(row / problem.queryLength(), row % problem.queryLength());
            table[ROW * row] = range.begin();
            table[ROW * row + 1] = range.end();
            table[ROW * row + 2] = range.position();
            table[ROW * row + 3] = range.sequence();
        }
        return table;
    }

    /**
     * How large {@link #table} is.
     *
     * @param problem any
     * @return bytes
     */
    public static long byteSize(AttentionProblem problem) {
        return 4L * ROW * problem.batch() * problem.queryLength();
    }

    /**
     * Sets table, offset, left and right.
     *
     * @param arguments of the kernel, at the table
     * @param call the call
     * @param unused any buffer, for the table if there is none
     * @return the same, after right
     */
    public static ClKernel.Arguments set(ClKernel.Arguments arguments, DeviceCall call, ClBuffer unused) {
        AttentionProblem problem = call.problem();
        Attention attention = problem.attention();
        boolean alike = call.keyRanges() == null;
        return arguments
                .buffer(alike ? unused : call.keyRanges())
                .integer(alike && problem.batch() > 0 ? problem.offset(0) : 0)
                .integer(attention.windowLeft())
                .integer(attention.isCausal() ? 0 : attention.windowRight());
    }

    /**
     * Sets slopes and the slopes from one sequence to the next.
     *
     * @param arguments of the kernel, at the slopes
     * @param call the call
     * @param unused any buffer, for the slopes if there are none
     * @return the same, after the stride
     */
    public static ClKernel.Arguments setAlibi(ClKernel.Arguments arguments, DeviceCall call, ClBuffer unused) {
        int heads = call.problem().queryHeads();
        int slopes = call.problem().attention().alibiSlopes().length;
        return arguments
                .buffer(call.alibiSlopes() == null ? unused : call.alibiSlopes())
                .integer(slopes > heads ? heads : 0);
    }
}
