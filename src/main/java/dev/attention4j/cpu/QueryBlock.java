package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;

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
    /** The keys that each lane may see by position and length. */
    final KeyRange[] range;
    /** The logit of each lane's attention sink. */
    final float[] sink;
    /** The keys that any lane sees; start = end where there is none. */
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

    /** Whether position and length let every lane see all of these keys. */
    boolean seesAll(int from, int to) {
        for (int lane = 0; lane < count; lane++) {
            if (range[lane].begin() > from || range[lane].end() < to) {
                return false;
            }
        }
        return true;
    }

    /** The first lane that sees any of these keys; {@link #count} if none does. */
    int firstLane(int from, int to) {
        int lane = 0;
        while (lane < count && !sees(lane, from, to)) {
            lane++;
        }
        return lane;
    }

    /** One past the last lane that sees any of these keys; 0 if none does. */
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
}
