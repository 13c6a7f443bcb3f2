package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import java.util.Arrays;

/** Position, length, mask, bias and ALiBi as one row of numbers to add to the scores, where −∞ stands for masked. */
final class Addends {
    private final StridedRows mask;
    private final StridedRows bias;
    private final boolean alibi;

    Addends(AttentionProblem problem) {
        mask = problem.attention()
                .mask()
                .map(tensor -> new StridedRows(tensor.broadcast(problem.weightsShape())))
                .orElse(null);
        bias = problem.attention()
                .bias()
                .map(tensor -> new StridedRows(tensor.broadcast(problem.weightsShape())))
                .orElse(null);
        alibi = problem.attention().alibiSlopes().length > 0;
    }

    /** Whether there is anything to add for a block of keys. */
    boolean any(QueryBlock lanes, KeyBlock keys) {
        return mask != null || bias != null || alibi || !lanes.seesAll(keys.start(), keys.start() + keys.count());
    }

    /**
     * The row of one lane: finite or NaN or +∞ where it may attend, −∞ where it may not.
     *
     * @param target as long as the block of keys
     * @param scratch as long
     */
    void read(QueryBlock lanes, int lane, KeyBlock keys, float[] target, float[] scratch) {
        int count = keys.count();
        int head = lanes.head[lane];
        int query = lanes.query[lane];
        KeyRange range = lanes.range[lane];
        if (bias == null) {
            Arrays.fill(target, 0, count, 0);
        } else {
            bias.read(lanes.batch, head, query, keys.start(), count, target);
        }
        if (alibi) {
            for (int j = 0; j < count; j++) {
                target[j] -= lanes.slope[lane] * Math.abs((float) (range.position() - keys.start() - j));
            }
        }
        if (mask != null) {
            mask.read(lanes.batch, head, query, keys.start(), count, scratch);
            for (int j = 0; j < count; j++) {
                if (scratch[j] == 0) {
                    target[j] = Float.NEGATIVE_INFINITY;
                }
            }
        }
        int first = Math.min(count, Math.max(0, range.begin() - keys.start()));
        int end = Math.min(count, Math.max(first, range.end() - keys.start()));
        Arrays.fill(target, 0, first, Float.NEGATIVE_INFINITY);
        Arrays.fill(target, end, count, Float.NEGATIVE_INFINITY);
    }

    /** The score with its addend; whatever the score is, a masked one is −∞. */
    static float add(float score, float addend) {
        return addend == Float.NEGATIVE_INFINITY ? Float.NEGATIVE_INFINITY : score + addend;
    }
}
