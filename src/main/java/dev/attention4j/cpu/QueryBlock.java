package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import java.util.List;

/**
 * Query rows that are computed together because they read the same keys: neighbours in one head, or, where the query is
 * short, the rows of several query heads that share a key/value head. A row's place in the block is its lane.
 */
final class QueryBlock {
    final int batch;
    final int keyValueHead;
    final int count;
    /** The query head of each lane. */
    final int[] head;
    /** The query row of each lane. */
    final int[] query;
    /** The keys that each lane may attend to by position and length. */
    final KeyRange[] range;
    /** The logit of each lane's attention sink. */
    final float[] sink;
    /** The keys that any lane attends to; start = end if there are none. */
    final int start;

    final int end;

    /** Lane n is row {@code firstQuery + n % rows} of head {@code firstHead + n / rows}. */
    QueryBlock(AttentionProblem problem, int batch, int firstHead, int heads, int firstQuery, int rows) {
        this.batch = batch;
        this.keyValueHead = problem.keyValueHead(firstHead);
        this.count = heads * rows;
        head = new int[count];
        query = new int[count];
        range = new KeyRange[count];
        sink = new float[count];
        int lowest = problem.keyLength();
        int highest = 0;
        for (int lane = 0; lane < count; lane++) {
            head[lane] = firstHead + lane / rows;
            query[lane] = firstQuery + lane % rows;
            range[lane] = problem.keyRange(batch, query[lane]);
            sink[lane] = problem.sink(head[lane]);
            if (range[lane].count() > 0) {
                lowest = Math.min(lowest, range[lane].begin());
                highest = Math.max(highest, range[lane].end());
            }
        }
        start = Math.min(lowest, highest);
        end = highest;
    }

    /** Returns whether position and length let every lane attend to all of these keys. */
    boolean seesAll(int from, int to) {
        for (int lane = 0; lane < count; lane++) {
            if (range[lane].begin() > from || range[lane].end() < to) {
                return false;
            }
        }
        return true;
    }

    /** The first lane that attends to any of these keys; {@link #count} if none does. */
    int firstLane(int from, int to) {
        int lane = 0;
        while (lane < count && !sees(lane, from, to)) {
            lane++;
        }
        return lane;
    }

    /** One past the last lane that attends to any of these keys; 0 if none does. */
    int endLane(int from, int to) {
        int lane = count;
        while (lane > 0 && !sees(lane - 1, from, to)) {
            lane--;
        }
        return lane;
    }

    private boolean sees(int lane, int from, int to) {
        return Math.max(range[lane].begin(), from) < Math.min(range[lane].end(), to);
    }

    /**
     * The blocks into which a problem is cut. They depend on the shapes alone and not on the number of threads, so that this
     * number changes no bit.
     */
    static final class Cut {
        /** The most lanes of a block: long enough for vector loops, short enough for a core's own cache. */
        private static final int MOST_LANES = 256;

        /** With fewer lanes the loops over them spend most of their time starting and ending. */
        private static final int LEAST_LANES = 32;

        /** The number of blocks to have before blocks become larger, so that all threads have work to the end. */
        private static final int BLOCKS_WANTED = 32;

        private final AttentionProblem problem;
        /** The heads of a block, and the blocks side by side in a group of query heads. */
        private final int heads;

        private final int headSets;
        /** The rows of a block, and the blocks along the query. */
        private final int rows;

        private final int rowBlocks;

        Cut(AttentionProblem problem) {
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
                    Math.multiplyExact(problem.batch(), problem.keyValueHeads()),
                    Math.multiplyExact(headSets, rowBlocks));
        }

        /** The blocks along the query. */
        int rowBlocks() {
            return rowBlocks;
        }

        /** The sizes of a block: equal for cuts of one problem's shapes. */
        List<Integer> shape() {
            return List.of(heads, rows);
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
}
