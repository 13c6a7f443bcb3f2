package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.spi.ScoreTerms;
import java.util.Arrays;

/**
 * Computes blocks of many query rows. Lanes are neighbours in memory: queries [headDim][lane], scores
 * [key][lane], output [valueDim][lane]; elements of keys and values are the factors.
 */
final class LaneKernel extends BlockKernel {
    private static final int GROUP = Axpy.SUMS;

    private float[][] query = {};
    private float[][] score = {};
    private float[][] output = {};
    private float[] newMax = {};
    private float[] shift = {};
    private float[] rescale = {};
    private float[] blockSum = {};
    /** The sums of a block of keys for four dims of the output. */
    private float[][] blockOutput = {};
    /** The scores of each value that was set aside, after masking. */
    private float[][] setAsideScore = {};

    private final RunningTotal totals = new RunningTotal();
    private float[] scratch = {};
    /** The lanes that attend to any of each group of four keys. */
    private final int[] from = new int[KeyBlock.MOST_KEYS / GROUP];

    private final int[] to = new int[KeyBlock.MOST_KEYS / GROUP];

    LaneKernel(
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            ScoreTerms terms,
            BlockTable table,
            Results results) {
        super(problem, query, key, value, terms, table, results);
    }

    @Override
    void begin(QueryBlock lanes) {
        int count = lanes.count;
        if (scratch.length < count) {
            query = new float[paddedHeadDim][count];
            score = new float[KeyBlock.MOST_KEYS][count];
            output = new float[paddedValueDim][count];
            newMax = new float[count];
            shift = new float[count];
            rescale = new float[count];
            blockSum = new float[count];
            blockOutput = new float[GROUP][count];
            scratch = new float[count];
        }
        float[] row = new float[headDim];
        for (int lane = 0; lane < count; lane++) {
            queries.read(lanes.batch, lanes.head[lane], lanes.query[lane], 0, headDim, row);
            for (int d = 0; d < headDim; d++) {
                query[d][lane] = row[d];
            }
        }
        for (float[] sums : output) {
            Arrays.fill(sums, 0);
        }
    }

    @Override
    void step(QueryBlock lanes, KeyBlock keys) {
        findLanes(lanes, keys);
        scores(keys);
        if (terms.changesScores()) {
            change(lanes, keys);
        }
        if (adds(lanes, keys)) {
            add(lanes, keys);
        }
        for (int j = keys.count; j < keys.paddedCount(); j++) {
            Arrays.fill(score[j], Float.NEGATIVE_INFINITY);
        }
        if (results.wantsWeights()) {
            keep(lanes, keys);
        }
        raiseMax(lanes, keys);
        setAsideScore = new float[keys.setAsideCount][];
        for (int n = 0; n < setAsideScore.length; n++) {
            setAsideScore[n] = score[keys.setAsideRows[n]].clone();
        }
        exponentials(lanes, keys);
        if (terms.drops()) {
            drop(lanes, keys);
        }
        addValues(lanes, keys);
        addValuesSetAside(keys);
    }

    private void findLanes(QueryBlock lanes, KeyBlock keys) {
        int end = keys.start + keys.count;
        boolean all = results.wantsWeights() || lanes.seesAll(keys.start, end);
        for (int j = 0; j < keys.count; j += GROUP) {
            int key = keys.start + j;
            int groupEnd = Math.min(end, key + GROUP);
            from[j / GROUP] = all ? 0 : lanes.firstLane(key, groupEnd);
            to[j / GROUP] = all ? lanes.count : lanes.endLane(key, groupEnd);
        }
    }

    private void scores(KeyBlock keys) {
        for (int j = 0; j < keys.count; j += GROUP) {
            int lo = from[j / GROUP];
            int hi = to[j / GROUP];
            if (lo >= hi) {
                continue;
            }
            for (int n = j; n < j + GROUP; n++) {
                Arrays.fill(score[n], lo, hi, 0);
            }
            multiply(score[j], score[j + 1], score[j + 2], score[j + 3], keys.key, j, lo, hi);
            for (int n = j; n < j + GROUP; n++) {
                Axpy.scale(score[n], scale, lo, hi);
                terms.cap(score[n], lo, hi);
            }
        }
    }

    private void multiply(float[] s0, float[] s1, float[] s2, float[] s3, float[][] key, int j, int lo, int hi) {
        float[] k0 = key[j];
        float[] k1 = key[j + 1];
        float[] k2 = key[j + 2];
        float[] k3 = key[j + 3];
        for (int d = 0; d < k0.length; d += Axpy.SOURCES) {
            Axpy.fourByTwo(
                    s0,
                    s1,
                    s2,
                    s3,
                    query[d],
                    query[d + 1],
                    lo,
                    hi,
                    k0[d],
                    k0[d + 1],
                    k1[d],
                    k1[d + 1],
                    k2[d],
                    k2[d + 1],
                    k3[d],
                    k3[d + 1]);
        }
    }

    private void change(QueryBlock lanes, KeyBlock keys) {
        for (int r = 0; r < lanes.count; r++) {
            for (int j = 0; j < keys.count; j++) {
                addend[j] = score[j][r];
            }
            change(lanes, r, keys, addend);
            for (int j = 0; j < keys.count; j++) {
                score[j][r] = addend[j];
            }
        }
    }

    private void add(QueryBlock lanes, KeyBlock keys) {
        for (int r = 0; r < lanes.count; r++) {
            readAddend(lanes, r, keys);
            for (int j = 0; j < keys.count; j++) {
                score[j][r] = ScoreTerms.add(score[j][r], addend[j]);
            }
        }
    }

    private void keep(QueryBlock lanes, KeyBlock keys) {
        for (int r = 0; r < lanes.count; r++) {
            for (int j = 0; j < keys.count; j++) {
                addend[j] = score[j][r];
            }
            results.scores(lanes, r, keys, addend);
        }
    }

    private void raiseMax(QueryBlock lanes, KeyBlock keys) {
        int count = lanes.count;
        System.arraycopy(max, 0, newMax, 0, count);
        for (int j = 0; j < keys.count; j += GROUP) {
            Axpy.maxOfFour(newMax, score[j], score[j + 1], score[j + 2], score[j + 3], from[j / GROUP], to[j / GROUP]);
        }
        boolean raised = false;
        for (int r = 0; r < count; r++) {
            raised |= newMax[r] != max[r];
            rescale[r] = max[r];
            shift[r] = shift(newMax[r]);
            max[r] = newMax[r];
        }
        if (raised) {
            Exp.shifted(rescale, shift, scratch, 0, count);
        } else {
            Arrays.fill(rescale, 1);
        }
    }

    private void exponentials(QueryBlock lanes, KeyBlock keys) {
        Arrays.fill(blockSum, 0);
        for (int j = 0; j < keys.count; j += GROUP) {
            int lo = from[j / GROUP];
            int hi = to[j / GROUP];
            for (int n = j; n < j + GROUP; n++) {
                Exp.shifted(score[n], shift, scratch, lo, hi, powers);
            }
            Axpy.addFour(blockSum, score[j], score[j + 1], score[j + 2], score[j + 3], lo, hi);
        }
        Axpy.multiplyAdd(sum, rescale, blockSum, lanes.count);
    }

    private void drop(QueryBlock lanes, KeyBlock keys) {
        for (int r = 0; r < lanes.count; r++) {
            boolean[] kept = kept(lanes, r, keys);
            for (int j = 0; j < keys.count; j++) {
                score[j][r] = kept[j] ? score[j][r] : 0;
            }
            for (int n = 0; n < keys.setAsideCount; n++) {
                float before = setAsideScore[n][r];
                setAsideScore[n][r] = kept[keys.setAsideRows[n]] ? before : Float.NEGATIVE_INFINITY;
            }
        }
    }

    private void addValues(QueryBlock lanes, KeyBlock keys) {
        for (int c = 0; c < output.length; c += GROUP) {
            for (float[] added : blockOutput) {
                Arrays.fill(added, 0, lanes.count, 0);
            }
            for (int j = 0; j < keys.count; j += Axpy.SOURCES) {
                int lo = from[j / GROUP];
                int hi = to[j / GROUP];
                if (lo < hi) {
                    addTwoValues(keys.value[j], keys.value[j + 1], score[j], score[j + 1], c, lo, hi);
                }
            }
            for (int n = 0; n < GROUP; n++) {
                Axpy.multiplyAdd(output[c + n], rescale, blockOutput[n], lanes.count);
            }
        }
    }

    private void addTwoValues(float[] v0, float[] v1, float[] p0, float[] p1, int c, int lo, int hi) {
        Axpy.fourByTwo(
                blockOutput[0],
                blockOutput[1],
                blockOutput[2],
                blockOutput[3],
                p0,
                p1,
                lo,
                hi,
                v0[c],
                v1[c],
                v0[c + 1],
                v1[c + 1],
                v0[c + 2],
                v1[c + 2],
                v0[c + 3],
                v1[c + 3]);
    }

    private void addValuesSetAside(KeyBlock keys) {
        for (int n = 0; n < keys.setAsideCount; n++) {
            int j = keys.setAsideRows[n];
            float[] value = keys.setAside[n];
            for (int r = from[j / GROUP]; r < to[j / GROUP]; r++) {
                boolean counts = setAsideScore[n][r] != Float.NEGATIVE_INFINITY;
                for (int c = 0; counts && c < value.length; c++) {
                    output[c][r] = Axpy.fma(score[j][r], value[c], output[c][r]);
                }
            }
        }
    }

    @Override
    void fold(QueryBlock lanes, boolean first, float[] factor) {
        if (first) {
            totals.begin(output.length, scratch.length);
        }
        for (int c = 0; c < output.length; c++) {
            totals.add(c, factor, output[c], lanes.count);
        }
    }

    @Override
    void unfold(QueryBlock lanes) {
        for (int c = 0; c < output.length; c++) {
            totals.read(c, output[c], lanes.count);
        }
    }

    @Override
    void unscaledOutput(int lane, float[] target) {
        for (int c = 0; c < target.length; c++) {
            target[c] = output[c][lane];
        }
    }
}
