package dev.attention4j.opencl.plan;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;

/** The table of {@code opencl/common/key_range.clh}. */
public final class KeyRanges {
    /** Ints of a row of the table: begin, end, position, sequence. */
    private static final int ROW = 4;

    private KeyRanges() {}

    /**
     * Returns whether kernels need the {@link #table}: batch rows differ, sequences are packed or some queries are
     * masked.
     */
    public static boolean areNeeded(Attention attention) {
        return attention.offsets().length > 1
                || attention.keyLengths().length > 0
                || attention.isPacked()
                || attention.queryMask().isPresent();
    }

    /**
     * Returns for each query the keys that it may attend to: [batch, queryLength, 4] of begin, end, position and
     * sequence.
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

    /** The size of the {@link #table} in bytes. */
    public static long byteSize(AttentionProblem problem) {
        return 4L * ROW * problem.batch() * problem.queryLength();
    }
}
