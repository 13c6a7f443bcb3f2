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
// across: several times faster than memory delivers keys. merge_splits merges the splits.
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
// Blocks of keys that a mask expression hides from all rows are skipped. They are found here, not read from a table
// (fused/block_table.clh): a few rows are tested in less than the launch of the kernel that finds a table, which the next token, at
// another position, could not use.
//
// Memory of a work-group, in floats: blockRows * (headDim + 3 * valueDim + KEY_BLOCK + 3), given by the host.
//
// Row r of a unit is query r % queries of head firstHead + r / queries. A block of keys stays in a
// core's own cache while ROW_TILE rows after ROW_TILE rows use it.

#include "common/log_sum_exp.clh"
#ifndef ROW_TILE
#define ROW_TILE 1 // query rows that use a value while it is in registers: 1, 2 or 4
#endif
#ifndef KEY_BLOCK
#define KEY_BLOCK 512 // keys between two rescales, a multiple of VECTOR_WIDTH; long runs are what memory likes
#endif
#define TAIL_KEYS 32 // keys that are summed one after another, of the elements after the whole vectors of a width

#include "fused/decode_softmax.clh"
#include "fused/decode_tiles.clh"
#include "common/not_finite.clh"

#define MASKS_ROWS (MASKS_SCORES & ~LIMITS_KEYS)

// What a work-group does: one of splits, one of unitsOfAll units of all batch rows, and one block of its rows.
ONCE void decode_of_group(FORWARD_PARAMETERS, __global float *partialOutput, __global float2 *partialSums,
                          int splitKeys, int blockRows, __local float *queryRows, __local float *outputRows,
                          __local float *lostRows, __local float *blockOutputs, __local float *scores,
                          __local float *maxima, __local float *sums, __local float *lostSums, int split, int splits,
                          int unit, int unitsOfAll, int block) {
    const int queries = call.queries;
    const int headDim = call.headDim;
    const int valueDim = call.valueDim;
    const int group = call.group;
    const int halvings = weight_halvings(call.keys);
    const int units = call.queryHeads / group;
    const int batch = unit / units;
    const int firstHead = unit % units * group;
    const int firstOfBlock = block * blockRows;
    const int rows = min(blockRows, group * queries - firstOfBlock);
    const KeyRows keys = KEY_ROWS(key, call, batch, firstHead / group);
    const ValueRows values = VALUE_ROWS(value, call, batch, firstHead / group);

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
#ifdef MASK_EXPRESSION
        bool seen = false;
        for (int n = 0; n < rows && !seen; n++) {
            const int queryRow = (firstOfBlock + n) % queries;
            const int head = firstHead + (firstOfBlock + n) / queries;
            const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
            const Row row = {batch, head, firstHead / group, queryRow, range.position, numbers};
            seen = attends_to_any(firstKey, keysHere, row);
        }
        if (!seen) {
            continue;
        }
#endif
#if ROW_TILE == 4
        int notFinite = -1; // 1 if any value is; -1: not checked yet
#endif
        for (int firstRow = 0; firstRow < rows; firstRow += ROW_TILE) {
            long keyAt[STREAMS], ahead[STREAMS];
            for (int k = 0; k < steps; k++) {
                NEXT_OF_RUNS(key_at, keys, keyAt, ahead)
#pragma unroll
                for (int r = 0; r < ROW_TILE; r += SCORE_ROWS) {
                    score_tile(keys, keyAt, ahead, queryRows, firstRow + r, rows, headDim, call.scale,
                               scores + k * STREAMS);
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
                masked = masked || edge || DROPS || (call.options & MASKS_ROWS) != 0;
#ifdef EXPRESSIONS
                const Row rowVariables = {batch, head, firstHead / group, queryRow, range.position, numbers};
#endif
                if (edge || (call.options & (CHANGES_SCORES | MASKS_ROWS)) != 0) {
                    const float slope = call.options & HAS_ALIBI ? alibiSlopes[range.sequence * call.slopeStride + head]
                                                                 : 0.0f;
                    __global const float *adds =
                        bias + scores_at(&call.bias, batch, head, queryRow) + firstKey * call.bias.keyStride;
                    __global const uchar *attends =
                        mask + scores_at(&call.mask, batch, head, queryRow) + firstKey * call.mask.keyStride;
                    change_scores(&call, adds, attends, range, slope, firstKey, keysHere, edge, rowScores ROW_ARGUMENT);
                }
                rescale[r] = softmax_block(rowScores, keysHere, halvings, &maxima[row], &sums[row], &lostSums[row]);
#ifdef DROPOUT
                drop(rowScores, firstKey, keysHere, rowVariables);
#endif
            }

#if ROW_TILE == 4
            // Where many rows use a value, one look at it is less than looking at each of their weights.
            if (masked) {
                notFinite =
                    notFinite < 0 ? any_not_finite(values, firstKey, keysHere, valueDim) : notFinite;
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
            long valueAt[STREAMS];
            for (int k = 0; k < steps; k++) {
                float weight[ROW_TILE][STREAMS];
                NEXT_OF_RUNS(value_at, values, valueAt, ahead)
#pragma unroll
                for (int r = 0; r < ROW_TILE; r++) {
                    vstore4(vload4(k, weights[r]), 0, weight[r]);
                }
                // After the last key that one is repeated with weight 0: 0 * infinity would be NaN.
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
                            const float element = load_value(values, value_at(values, firstKey + key_of_score(k, run)) + d);
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
    const long splitAt = (long)split * (unitsOfAll / units) * call.queryHeads * queries;
    const bool whole = splits == 1;
    for (int row = 0; row < rows; row++) {
        const long at = firstAt + row;
        const float sum = sums[row] + lostSums[row];
        const float factor = sum == 0.0f ? 0.0f : KEPT_FACTOR(1.0f / sum);
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

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void forward_decode(
    FORWARD_PARAMETERS, __global float *partialOutput, __global float2 *partialSums,
    int splitKeys, int blockRows, __local float *queryRows, __local float *outputRows, __local float *lostRows,
    __local float *blockOutputs, __local float *scores, __local float *maxima, __local float *sums,
    __local float *lostSums) {
    decode_of_group(FORWARD_ARGUMENTS, partialOutput, partialSums, splitKeys, blockRows, queryRows, outputRows,
                    lostRows, blockOutputs, scores, maxima, sums, lostSums, get_group_id(0), get_num_groups(0),
                    get_group_id(1), get_num_groups(1), get_group_id(2));
}
