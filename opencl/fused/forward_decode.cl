// Forward decode: attention of few query rows over many keys, for CPU-class devices. Decoding a token is the case in
// mind: one query, and every key and value read once, so that memory bandwidth is the limit.
//
// Arguments and shapes: common/forward_call.clh, with unitHeads = group, and
//   partialOutput [splits, batch, queryHeads, queries, valueDim]  float, the weighted mean over a split's keys
//   partialSums   [splits, batch, queryHeads, queries]            float2, the split's maximum and sum
//                                                                 of e^(score - maximum)
//                 both for merge_splits; with one split output and logSumExp are written instead
//
// A work-group is one work-item and takes blockRows rows of those of all heads that share a key/value head - all of them,
// unless local memory is short - over the keys of one split.
// Where forward_rows has a row in each lane, here the lanes run along headDim, valueDim, or the keys of a block, so that a
// single row fills them:
//   scores: SCORE_ROWS rows x STREAMS keys of vectors along headDim, summed across at the end of each
//   softmax: lanes are keys; m' = max(m, max S), P = e^(S - m'), l = l * e^(m - m') + sum P
//   output: a vector along valueDim of ROW_TILE rows is in registers while STREAMS values are added; each block is summed from
//     0 and then folded into the total (common/running_total.clh)
// One query row's work per key is two loads and two multiply-adds for each vector of headDim and valueDim, and a sum
// across: several times faster than memory delivers keys. merge_splits puts the splits together.
//
// A block's keys are read in STREAMS runs side by side, the first key of each, then the second, and so on: a processor
// fetches ahead for every run that it recognises, but none beyond the end of a page, so that one run alone waits at each
// page. Measured on two cores of an AMD EPYC: 64 to 512 MiB at 1.1 to 1.3 times the rate of one run.
//
//   keys of a block    | run 0: k k k k ... | run 1: k k k k ... | run 2: k k k k ... | run 3: k k k k ... | rest |
//   step n takes             key n                key n                key n                key n
//   which makes          SCORE_ROWS x 4 scores, stored side by side: the softmax's lanes are keys in this order
//   and adds             4 values to ROW_TILE rows of the output, whose lanes are dims
//
// Memory of a work-group, in floats: blockRows * (headDim + 3 * valueDim + KEY_BLOCK + 3), given by the host.
//
// Row r of a unit is query r % queries of head firstHead + r / queries. A block of keys stays in a
// core's own cache while ROW_TILE rows after ROW_TILE rows use it.

#include "common/exp.clh"
#include "common/key_range.clh"
#include "common/log_sum_exp.clh"
#include "common/multiply_add.clh"
#include "common/running_total.clh"
#include "common/score.clh"
#include "common/vector.clh"
#include "common/not_finite.clh"

#ifndef ROW_TILE
#define ROW_TILE 1 // query rows that use a value while it is in registers: 1, 2 or 4
#endif
#ifndef KEY_BLOCK
#define KEY_BLOCK 512 // keys between two rescales, a multiple of VECTOR_WIDTH; long runs are what memory likes
#endif

#define STREAMS 4 // runs of keys, or of values, that are read side by side
#define TAIL_KEYS 32 // keys that are summed one after another, of what lies behind the whole vectors of a width
#define SCORE_ROWS (ROW_TILE < 2 ? 1 : 2) // query rows that use a key while it is in registers

// Where in a block key n of the scores is: the runs' first keys, their second ones, ..., and what is over of STREAMS runs.
int key_of_score(int n, int run) { return n < STREAMS * run ? n % STREAMS * run + n / STREAMS : n; }

// The keys of step n's scores, and beyond the last key that one again.
int4 keys_of_step(int n, int run, int keysHere) {
    const int4 keys = n < run ? n + run * (int4)(0, 1, 2, 3) : STREAMS * run + (int4)(0, 1, 2, 3);
    // Not min(keys, keysHere - 1): Oclgrind 21.10 reads a scalar there as if it were a vector, and computes nonsense.
    return min(keys, (int4)(keysHere - 1));
}

// Where row k of each run begins; after the runs, the rows that are left, and beyond the end the last one again.
void rows_of_runs(long rowStride, int k, int run, int rowsHere, long *rowAt) {
#pragma unroll
    for (int t = 0; t < STREAMS; t++) {
        rowAt[t] = (k < run ? k + t * run : min(STREAMS * run + t, rowsHere - 1)) * rowStride;
    }
}

// S[row][t] of SCORE_ROWS rows and the keys at rowAt[t]. Beyond the last row that one is computed again.
void score_tile(__global const KEY *key, const long *rowAt, __local const float *queryRows, int firstRow, int rows,
                int headDim, float scale, __local float *scores) {
    __local const float *query[SCORE_ROWS];
    VECTOR sums[SCORE_ROWS][STREAMS];
#pragma unroll
    for (int r = 0; r < SCORE_ROWS; r++) {
        query[r] = queryRows + min(firstRow + r, rows - 1) * headDim;
#pragma unroll
        for (int t = 0; t < STREAMS; t++) {
            sums[r][t] = (VECTOR)(0.0f);
        }
    }
    int d = 0;
#pragma unroll 2
    for (; d + VECTOR_WIDTH <= headDim; d += VECTOR_WIDTH) {
#pragma unroll
        for (int t = 0; t < STREAMS; t++) {
            const VECTOR element = load_key_vector(key, rowAt[t] + d);
#pragma unroll
            for (int r = 0; r < SCORE_ROWS; r++) {
                sums[r][t] = MULTIPLY_ADD(LOAD_VECTOR(query[r] + d), element, sums[r][t]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < SCORE_ROWS; r++) {
        float4 dots = sum_lanes_of_four(sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
        for (int tail = d; tail < headDim; tail++) {
            const float4 element = (float4)(load_key(key, rowAt[0] + tail), load_key(key, rowAt[1] + tail),
                                            load_key(key, rowAt[2] + tail), load_key(key, rowAt[3] + tail));
            dots = MULTIPLY_ADD((float4)(query[r][tail]), element, dots);
        }
        vstore4(dots * scale, 0, scores + min(firstRow + r, rows - 1) * KEY_BLOCK);
    }
}

// O[row] += P V of ROW_TILE rows and the values at rowAt[t], in whole vectors along valueDim. With `masked`, what has
// weight -0 is left out: 0 * NaN would be NaN. A weight of +0 is that of a key which counts, and has underflowed.
#define IS_MASKED(weight) (as_int(weight) == INT_MIN)
#define OUTPUT_TILE(masked)                                                                                            \
    _Pragma("unroll 2") for (int d = 0; d + VECTOR_WIDTH <= valueDim; d += VECTOR_WIDTH) {                             \
        VECTOR sums[ROW_TILE];                                                                                         \
        _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) { sums[r] = (VECTOR)(0.0f); }                             \
        _Pragma("unroll") for (int t = 0; t < STREAMS; t++) {                                                          \
            const VECTOR element = load_value_vector(valueRows, rowAt[t] + d);                                         \
            _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) {                                                     \
                const VECTOR added = MULTIPLY_ADD((VECTOR)(weight[r][t]), element, sums[r]);                           \
                sums[r] = masked && IS_MASKED(weight[r][t]) ? sums[r] : added;                                         \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) {                                                         \
            STORE_VECTOR(LOAD_VECTOR(outputOf[r] + d) + sums[r], outputOf[r] + d);                                     \
        }                                                                                                              \
    }

// A block's outputs of a row join its total.
void fold(__local float *totals, __local float *lost, float rescale, __local const float *sums, int valueDim) {
    int d = 0;
    for (; d + VECTOR_WIDTH <= valueDim; d += VECTOR_WIDTH) {
        VECTOR total = LOAD_VECTOR(totals + d);
        VECTOR rest = LOAD_VECTOR(lost + d);
        ADD_TO_TOTAL(VECTOR, total, rest, rescale, LOAD_VECTOR(sums + d))
        STORE_VECTOR(total, totals + d);
        STORE_VECTOR(rest, lost + d);
    }
    for (; d < valueDim; d++) {
        ADD_TO_TOTAL(float, totals[d], lost[d], rescale, sums[d])
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void forward_decode(
    FORWARD_PARAMETERS, __global float *partialOutput, __global float2 *partialSums,
    int splitKeys, int blockRows, __local float *queryRows, __local float *outputRows, __local float *lostRows,
    __local float *blockOutputs, __local float *scores, __local float *maxima, __local float *sums,
    __local float *lostSums) {
    const int queries = call.queries;
    const int headDim = call.headDim;
    const int valueDim = call.valueDim;
    const int group = call.group;
    const long keyRowStride = call.key.rowStride;
    const long valueRowStride = call.value.rowStride;
    const int halvings = weight_halvings(call.keys);
    const int units = call.queryHeads / group;
    const int split = get_group_id(0);
    const int batch = get_group_id(1) / units;
    const int firstHead = get_group_id(1) % units * group;
    const int firstOfBlock = get_group_id(2) * blockRows;
    const int rows = min(blockRows, group * queries - firstOfBlock);
    key += key_row(&call, batch, firstHead / group, 0);
    value += value_row(&call, batch, firstHead / group, 0);

    int begin = call.keys;
    int end = 0;
    for (int row = 0; row < rows; row++) {
        const int queryRow = (firstOfBlock + row) % queries;
        const int head = firstHead + (firstOfBlock + row) / queries;
        __global const STORED *from = query + row_at(&call.query, batch, head, queryRow);
        for (int d = 0; d < headDim; d++) {
            queryRows[row * headDim + d] = load_stored(from, d);
        }
        for (int d = 0; d < valueDim; d++) {
            outputRows[row * valueDim + d] = 0.0f;
            lostRows[row * valueDim + d] = 0.0f;
        }
        // A sink is a first key with a value of 0: the first split's.
        const float sink = (call.options & HAS_SINKS) && split == 0 ? sinks[head] : -INFINITY;
        maxima[row] = sink;
        sums[row] = sink == -INFINITY ? 0.0f : as_float((127 - halvings) << 23);
        lostSums[row] = 0.0f;
        const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
        begin = min(begin, range.begin);
        end = max(end, range.end);
    }
    begin = max(begin, split * splitKeys);
    end = min(end, (split + 1) * splitKeys);

    for (int firstKey = begin; firstKey < end; firstKey += KEY_BLOCK) {
        const int keysHere = min(KEY_BLOCK, end - firstKey);
        const int run = keysHere / STREAMS;
        const int steps = (keysHere + STREAMS - 1) / STREAMS;
        __global const KEY *keyRows = key + firstKey * keyRowStride;
        __global const VALUE *valueRows = value + firstKey * valueRowStride;
#if ROW_TILE == 4
        int notFinite = -1; // whether any value is; -1: not looked at
#endif
        for (int firstRow = 0; firstRow < rows; firstRow += ROW_TILE) {
            for (int k = 0; k < steps; k++) {
                long rowAt[STREAMS];
                rows_of_runs(keyRowStride, k, run, keysHere, rowAt);
#pragma unroll
                for (int r = 0; r < ROW_TILE; r += SCORE_ROWS) {
                    score_tile(keyRows, rowAt, queryRows, firstRow + r, rows, headDim, call.scale, scores + k * STREAMS);
                }
            }
            float rescale[ROW_TILE];
            __local const float *weights[ROW_TILE];
            bool masked = false;
            for (int r = 0; r < ROW_TILE; r++) {
                const int row = min(firstRow + r, rows - 1);
                __local float *rowScores = scores + row * KEY_BLOCK;
                weights[r] = rowScores;
                if (firstRow + r >= rows) {
                    // The last row again: its scores are weights already.
                    rescale[r] = rescale[r - 1];
                    continue;
                }
                const int queryRow = (firstOfBlock + row) % queries;
                const int head = firstHead + (firstOfBlock + row) / queries;
                const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
                const bool edge = firstKey < range.begin || firstKey + keysHere > range.end;
                masked = masked || edge || (call.options & (HAS_BIAS | HAS_MASK)) != 0;
                if (edge || (call.options & (CHANGES_SCORES | HAS_BIAS | HAS_MASK)) != 0) {
                    const float slope = call.options & HAS_ALIBI ? alibiSlopes[range.sequence * call.slopeStride + head]
                                                                 : 0.0f;
                    const long biasStride = call.bias.keyStride;
                    const long maskStride = call.mask.keyStride;
                    __global const float *adds =
                        bias + scores_at(&call.bias, batch, head, queryRow) + firstKey * biasStride;
                    __global const uchar *attends =
                        mask + scores_at(&call.mask, batch, head, queryRow) + firstKey * maskStride;
                    for (int n = 0; n < steps; n++) {
                        const int4 at = keys_of_step(n, run, keysHere);
                        float4 score = vload4(n, rowScores);
                        CHANGE_SCORE(float4, score, call, slope, fabs(convert_float4(range.position - firstKey - at)))
                        if (call.options & HAS_BIAS) {
                            const float4 add = (float4)(adds[at.x * biasStride], adds[at.y * biasStride],
                                                        adds[at.z * biasStride], adds[at.w * biasStride]);
                            score = BIAS_SCORE(float4, score, add);
                        }
                        if (call.options & HAS_MASK) {
                            const int4 attended = (int4)(attends[at.x * maskStride], attends[at.y * maskStride],
                                                         attends[at.z * maskStride], attends[at.w * maskStride]);
                            score = MASK_SCORE(float4, score, attended != 0);
                        }
                        if (edge) {
                            const int4 inside = firstKey + at >= range.begin && firstKey + at < range.end;
                            score = MASK_SCORE(float4, score, inside);
                        }
                        vstore4(score, n, rowScores);
                    }
                }
                for (int k = keysHere; k % VECTOR_WIDTH != 0; k++) {
                    rowScores[k] = -INFINITY;
                }

                VECTOR blockMaxima = (VECTOR)(-INFINITY);
                for (int k = 0; k < keysHere; k += VECTOR_WIDTH) {
                    blockMaxima = LARGER(LOAD_VECTOR(rowScores + k), blockMaxima);
                }
                const float newMax = fmax(maxima[row], MAX_LANES(blockMaxima));
                // A row that has seen no key yet: -infinity - 0 instead of NaN.
                const float shift = newMax == -INFINITY ? 0.0f : newMax;
                rescale[r] = exp(maxima[row] - shift);
                maxima[row] = newMax;
                VECTOR blockSums = (VECTOR)(0.0f);
                for (int k = 0; k < keysHere; k += VECTOR_WIDTH) {
                    const VECTOR score = LOAD_VECTOR(rowScores + k);
                    const VECTOR weight = exp_softmax(score - shift, halvings);
                    STORE_VECTOR(select(weight, (VECTOR)(-0.0f), score == -INFINITY), rowScores + k);
                    blockSums += weight;
                }
                ADD_TO_TOTAL(float, sums[row], lostSums[row], rescale[r], SUM_LANES(blockSums))
            }

#if ROW_TILE == 4
            // Where many rows use a value, one look at it is less than looking at each of their weights.
            if (masked) {
                notFinite =
                    notFinite < 0 ? any_not_finite(valueRows, valueRowStride, keysHere, valueDim) : notFinite;
                masked = notFinite != 0;
            }
#endif
            for (int d = 0; d < ROW_TILE * valueDim; d++) {
                blockOutputs[d] = 0.0f;
            }
            __local float *outputOf[ROW_TILE];
#pragma unroll
            for (int r = 0; r < ROW_TILE; r++) {
                outputOf[r] = blockOutputs + r * valueDim;
            }
            for (int k = 0; k < steps; k++) {
                long rowAt[STREAMS];
                float weight[ROW_TILE][STREAMS];
                rows_of_runs(valueRowStride, k, run, keysHere, rowAt);
#pragma unroll
                for (int r = 0; r < ROW_TILE; r++) {
                    vstore4(vload4(k, weights[r]), 0, weight[r]);
                }
                // What lies behind the last key is that one again, with weight 0: 0 * infinity would be NaN.
                if (masked || k == run) {
                    OUTPUT_TILE(true)
                } else {
                    OUTPUT_TILE(false)
                }
            }
            for (int d = valueDim / VECTOR_WIDTH * VECTOR_WIDTH; d < valueDim; d++) {
                for (int r = 0; r < ROW_TILE && firstRow + r < rows; r++) {
                    float sum = 0.0f;
                    for (int first = 0; first < keysHere; first += TAIL_KEYS) {
                        float part = 0.0f;
                        for (int k = first; k < min(first + TAIL_KEYS, keysHere); k++) {
                            const float weight = weights[r][k];
                            const float element = load_value(valueRows, key_of_score(k, run) * valueRowStride + d);
                            part = masked && IS_MASKED(weight) ? part : MULTIPLY_ADD(weight, element, part);
                        }
                        sum += part;
                    }
                    outputOf[r][d] = sum;
                }
            }
            for (int r = 0; r < ROW_TILE && firstRow + r < rows; r++) {
                __local float *totals = outputRows + (firstRow + r) * valueDim;
                __local float *lost = lostRows + (firstRow + r) * valueDim;
                fold(totals, lost, rescale[r], outputOf[r], valueDim);
            }
        }
    }

    const long firstAt = ((long)batch * call.queryHeads + firstHead) * queries + firstOfBlock;
    const long splitAt = (long)split * (get_num_groups(1) / units) * call.queryHeads * queries;
    const bool whole = get_num_groups(0) == 1;
    for (int row = 0; row < rows; row++) {
        const long at = firstAt + row;
        const float sum = sums[row] + lostSums[row];
        const float factor = sum == 0.0f ? 0.0f : 1.0f / sum;
        for (int d = 0; d < valueDim; d++) {
            const float mean = (outputRows[row * valueDim + d] + lostRows[row * valueDim + d]) * factor;
            if (whole) {
                store_stored(mean, output, at * valueDim + d);
            } else {
                partialOutput[(splitAt + at) * valueDim + d] = mean;
            }
        }
        if (!whole) {
            partialSums[splitAt + at] = (float2)(maxima[row], SUM_OF_EXPONENTIALS(sum, halvings));
        } else if (call.options & HAS_LOG_SUM_EXP) {
            const float exponentials = SUM_OF_EXPONENTIALS(sum, halvings);
            logSumExp[at] = sum == 0.0f ? -INFINITY : LOG_OF_SUM(float, maxima[row], exponentials);
        }
    }
}
