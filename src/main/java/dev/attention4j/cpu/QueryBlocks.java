package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;

/**
 * The {@link QueryBlock}s into which a problem is cut. They depend on the shapes alone, not on the number of threads, so that
 * this number changes no bit.
 */
final class QueryBlocks {
    /** The most lanes of a block: long enough for vector loops, short enough for a core's own cache. */
    private static final int MOST_LANES = 256;

    /** Below this the loops over lanes are mostly start and end. */
    private static final int LEAST_LANES = 32;

    /** Blocks wanted, so that all threads have work to the end, before lanes are made as many as they may be. */
    private static final int BLOCKS_WANTED = 32;

    private final AttentionProblem problem;
    /** How many heads a block takes, and how many such sets a group of query heads has. */
    private final int heads;

    private final int headSets;
    /** How many rows a block takes, and how many blocks the query has. */
    private final int rows;

    private final int rowBlocks;

    QueryBlocks(AttentionProblem problem) {
        this.problem = problem;
        int group = problem.queryHeads() / problem.keyValueHeads();
        long allRows = (long) problem.batch() * problem.queryHeads() * problem.queryLength();
        int lanes = (int) Math.max(LEAST_LANES, Math.min(MOST_LANES, allRows / BLOCKS_WANTED));
        int length = Math.max(1, problem.queryLength());
        heads = Math.max(1, Math.min(group, lanes / length));
        headSets = ceilDiv(group, heads);
        rows = heads > 1 ? length : ceilDiv(length, ceilDiv(length, lanes));
        rowBlocks = ceilDiv(problem.queryLength(), rows);
    }

    int blocks() {
        if (rowBlocks == 0) {
            return 0;
        }
        return Math.multiplyExact(
                Math.multiplyExact(problem.batch(), problem.keyValueHeads()), Math.multiplyExact(headSets, rowBlocks));
    }

    QueryBlock block(int index) {
        int rest = index;
        int rowBlock = rest % rowBlocks;
        rest /= rowBlocks;
        int headSet = rest % headSets;
        rest /= headSets;
        int keyValueHead = rest % problem.keyValueHeads();
        int batch = rest / problem.keyValueHeads();
        int group = problem.queryHeads() / problem.keyValueHeads();
        int firstHead = keyValueHead * group + headSet * heads;
        int firstQuery = rowBlock * rows;
        return new QueryBlock(
                problem,
                batch,
                firstHead,
                Math.min(heads, group - headSet * heads),
                firstQuery,
                Math.min(rows, problem.queryLength() - firstQuery));
    }

    private static int ceilDiv(int a, int b) {
        return (a + b - 1) / b;
    }
}
