// Forward decode: attention of few query rows over many keys, for CPU-class devices. Decoding a token is the case in
// mind: one query, and every key and value read once, so that memory bandwidth is the limit.
//
// Arguments and shapes: fused/forward_call.clh, with unitHeads = group, and
//   partialOutput [splits, batch, queryHeads, queries, valueDim]  float, the weighted mean over a split's keys
//   partialSums   [splits, batch, queryHeads, queries]            float2, the split's maximum and sum
//                 both for merge_splits; with one split output and logSumExp are written instead
//
// A work-group is one work-item and takes blockRows rows of those of all heads that share a key/value head - all of them,
// unless local memory is short - over the keys of one split.
// Where forward_rows has a row in each lane, here the lanes run along headDim, valueDim, or the keys of a block, so that a
// single row fills them:
//   scores: ROW_TILE rows x KEY_TILE keys of vectors along headDim, summed across at the end of each
//   softmax: lanes are keys; m' = max(m, max S), P = 2^(S - m'), l = l * 2^(m - m') + sum P
//   output: DIM_TILE vectors along valueDim stay in registers while VALUE_TILE keys pass by
// One query row's work per key is two loads and two multiply-adds for each vector of headDim and valueDim, and a sum
// across: several times faster than memory delivers keys. merge_splits puts the splits together.
//
// Memory of a work-group, in floats: blockRows * (headDim + valueDim + KEY_BLOCK + 2), given by the host.
//
// Row r of a unit is query r % queries of head firstHead + r / queries. A block of keys stays in a
// core's own cache while ROW_TILE rows after ROW_TILE rows use it.

#include "common/exp2.clh"
#include "common/key_range.clh"
#include "common/log_sum_exp.clh"
#include "common/multiply_add.clh"
#include "common/vector.clh"
#include "fused/forward_call.clh"

#ifndef ROW_TILE
#define ROW_TILE 1 // query rows that use a key while it is in registers: 1, 2 or 4
#endif
#ifndef DIM_TILE
#define DIM_TILE 4 // vectors of output in registers, for each of ROW_TILE rows
#endif
#ifndef KEY_BLOCK
#define KEY_BLOCK 256 // keys between two rescales, a multiple of VECTOR_WIDTH; long runs are what memory likes
#endif

#define KEY_TILE 4 // keys whose scores are summed at a time

#ifndef VALUE_TILE
#define VALUE_TILE 8 // values that are added while a vector of output is in registers
#endif
#ifndef AHEAD_BYTES
#define AHEAD_BYTES 8192 // how far ahead of their use keys and values are asked for
#endif

// Asks memory for a row that is needed soon, line by line in its order: rows are read several at a time, which processors
// do not recognise as the one stream that it is. Compilers for other than processors may not know the hint.
void ask_for_row(__global const STORED *row, int width) {
#if defined(__x86_64__) || defined(__aarch64__)
    for (int n = 0; n < width; n += 64 / (int)sizeof(STORED)) {
        __builtin_prefetch((const void *)(size_t)(row + n));
    }
#endif
}

// The row that is `ahead` rows behind row k of the block's `rows` rows, or of those that are read after them.
void ask_ahead(__global const STORED *from, long rowStride, int width, __global const STORED *next, long nextRowStride,
               int nextWidth, int rows, int k, int ahead) {
    if (k + ahead < rows) {
        ask_for_row(from + (k + ahead) * rowStride, width);
    } else {
        ask_for_row(next + (k + ahead - rows) * nextRowStride, nextWidth);
    }
}

// S[row][key] of ROW_TILE rows and KEY_TILE keys from key k on. Beyond the last row or key the last one is computed again.
void score_tile(__global const STORED *keyRows, long rowStride, int k, int keysHere, __local const float *queryRows,
                int firstRow, int rows, int headDim, float scale, __local float *scores) {
    __global const STORED *from[KEY_TILE];
    __local const float *query[ROW_TILE];
    VECTOR sums[ROW_TILE][KEY_TILE];
#pragma unroll
    for (int t = 0; t < KEY_TILE; t++) {
        from[t] = keyRows + min(k + t, keysHere - 1) * rowStride;
    }
#pragma unroll
    for (int r = 0; r < ROW_TILE; r++) {
        query[r] = queryRows + min(firstRow + r, rows - 1) * headDim;
#pragma unroll
        for (int t = 0; t < KEY_TILE; t++) {
            sums[r][t] = (VECTOR)(0.0f);
        }
    }
    int d = 0;
    for (; d + VECTOR_WIDTH <= headDim; d += VECTOR_WIDTH) {
#pragma unroll
        for (int t = 0; t < KEY_TILE; t++) {
            const VECTOR element = load_stored_vector(from[t], d);
#pragma unroll
            for (int r = 0; r < ROW_TILE; r++) {
                sums[r][t] = MULTIPLY_ADD(LOAD_VECTOR(query[r] + d), element, sums[r][t]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROW_TILE; r++) {
        float4 dots = sum_lanes_of_four(sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
        for (int tail = d; tail < headDim; tail++) {
            const float4 element = (float4)(load_stored(from[0], tail), load_stored(from[1], tail),
                                            load_stored(from[2], tail), load_stored(from[3], tail));
            dots = MULTIPLY_ADD((float4)(query[r][tail]), element, dots);
        }
        vstore4(dots * scale, 0, scores + min(firstRow + r, rows - 1) * KEY_BLOCK + k);
    }
}

// O[row][dim] of ROW_TILE rows and DIMS vectors from firstDim on: O * factor + P V over the keys k0 to k1.
#define OUTPUT_TILE(DIMS, firstDim)                                                                                    \
    {                                                                                                                  \
        VECTOR sums[ROW_TILE][DIMS];                                                                                   \
        _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) {                                                         \
            const int row = min(firstRow + r, rows - 1);                                                               \
            _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                         \
                sums[r][t] = LOAD_VECTOR(outputRows + row * valueDim + (firstDim) + t * VECTOR_WIDTH) * factor[r];     \
            }                                                                                                          \
        }                                                                                                              \
        for (int k = k0; k < k1; k++) {                                                                                \
            _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                         \
                const VECTOR element = load_stored_vector(valueRows, k * valueRowStride + (firstDim) + t * VECTOR_WIDTH);\
                _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) {                                                 \
                    sums[r][t] = MULTIPLY_ADD((VECTOR)(weights[r][k]), element, sums[r][t]);                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("unroll") for (int r = 0; r < ROW_TILE; r++) {                                                         \
            _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                         \
                STORE_VECTOR(sums[r][t],                                                                               \
                             outputRows + min(firstRow + r, rows - 1) * valueDim + (firstDim) + t * VECTOR_WIDTH);     \
            }                                                                                                          \
        }                                                                                                              \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void forward_decode(
    FORWARD_PARAMETERS, __global float *partialOutput, __global float2 *partialSums,
    int splitKeys, int blockRows, __local float *queryRows, __local float *outputRows, __local float *scores,
    __local float *maxima, __local float *sums) {
    const int units = queryHeads / group;
    const int split = get_group_id(0);
    const int batch = get_group_id(1) / units;
    const int firstHead = get_group_id(1) % units * group;
    const int firstOfBlock = get_group_id(2) * blockRows;
    const int rows = min(blockRows, group * queries - firstOfBlock);
    query += queryOffset + batch * queryBatchStride;
    key += keyOffset + batch * keyBatchStride + (firstHead / group) * keyHeadStride;
    value += valueOffset + batch * valueBatchStride + (firstHead / group) * valueHeadStride;

    int begin = keys;
    int end = 0;
    for (int row = 0; row < rows; row++) {
        const int queryRow = (firstOfBlock + row) % queries;
        const int head = firstHead + (firstOfBlock + row) / queries;
        __global const STORED *from = query + head * queryHeadStride + queryRow * queryRowStride;
        for (int d = 0; d < headDim; d++) {
            queryRows[row * headDim + d] = load_stored(from, d);
        }
        for (int d = 0; d < valueDim; d++) {
            outputRows[row * valueDim + d] = 0.0f;
        }
        // A sink is a first key with a value of 0: the first split's.
        const float sink = (features & HAS_SINKS) && split == 0 ? LOG2E * sinks[head] : -INFINITY;
        maxima[row] = sink;
        sums[row] = sink == -INFINITY ? 0.0f : 1.0f;
        const KeyRange range = key_range(keyRanges, (features & HAS_KEY_RANGES) != 0, batch, queryRow, queries, offset,
                                         left, right, keys);
        begin = min(begin, range.begin);
        end = max(end, range.end);
    }
    begin = max(begin, split * splitKeys);
    end = min(end, (split + 1) * splitKeys);

    const int keysAhead = max(1, AHEAD_BYTES / (headDim * (int)sizeof(STORED)));
    const int valuesAhead = max(1, AHEAD_BYTES / (valueDim * (int)sizeof(STORED)));
    for (int firstKey = begin; firstKey < end; firstKey += KEY_BLOCK) {
        const int keysHere = min(KEY_BLOCK, end - firstKey);
        __global const STORED *keyRows = key + firstKey * keyRowStride;
        __global const STORED *valueRows = value + firstKey * valueRowStride;
        __global const STORED *nextKeys = keyRows + keysHere * keyRowStride;
        for (int firstRow = 0; firstRow < rows; firstRow += ROW_TILE) {
            for (int k = 0; k < keysHere; k += KEY_TILE) {
                for (int t = 0; t < KEY_TILE; t++) {
                    ask_ahead(keyRows, keyRowStride, headDim, valueRows, valueRowStride, valueDim, keysHere, k + t,
                              keysAhead);
                }
                score_tile(keyRows, keyRowStride, k, keysHere, queryRows, firstRow, rows, headDim, scale, scores);
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
                const long head = firstHead + (firstOfBlock + row) / queries;
                const KeyRange range = key_range(keyRanges, (features & HAS_KEY_RANGES) != 0, batch, queryRow, queries,
                                                 offset, left, right, keys);
                if (features & HAS_SOFTCAP) {
                    for (int k = 0; k < keysHere; k++) {
                        rowScores[k] = softcap * LOG2E * tanh(rowScores[k] / softcap);
                    }
                }
                if (features & HAS_ALIBI) {
                    const float slope = -alibiSlopes[range.sequence * slopeStride + head];
                    for (int k = 0; k < keysHere; k++) {
                        const float addend = slope * fabs((float)(range.position - firstKey - k));
                        rowScores[k] = MULTIPLY_ADD(addend, LOG2E, rowScores[k]);
                    }
                }
                if (features & HAS_BIAS) {
                    __global const float *addend = bias + biasOffset + batch * biasBatchStride + head * biasHeadStride +
                                                   queryRow * biasQueryStride + firstKey * biasKeyStride;
                    for (int k = 0; k < keysHere; k++) {
                        const float add = addend[k * biasKeyStride];
                        rowScores[k] = add == -INFINITY ? -INFINITY : MULTIPLY_ADD(add, LOG2E, rowScores[k]);
                    }
                }
                if (features & HAS_MASK) {
                    __global const uchar *attend = mask + maskOffset + batch * maskBatchStride + head * maskHeadStride +
                                                   queryRow * maskQueryStride + firstKey * maskKeyStride;
                    for (int k = 0; k < keysHere; k++) {
                        rowScores[k] = attend[k * maskKeyStride] != 0 ? rowScores[k] : -INFINITY;
                    }
                }
                masked = masked || (features & (HAS_BIAS | HAS_MASK)) != 0;
                if (firstKey < range.begin || firstKey + keysHere > range.end) {
                    masked = true;
                    for (int k = 0; k < keysHere; k++) {
                        const bool seen = firstKey + k >= range.begin && firstKey + k < range.end;
                        rowScores[k] = seen ? rowScores[k] : -INFINITY;
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
                rescale[r] = exp2(maxima[row] - shift);
                maxima[row] = newMax;
                VECTOR blockSums = (VECTOR)(0.0f);
                for (int k = 0; k < keysHere; k += VECTOR_WIDTH) {
                    const VECTOR weight = exp2_softmax(LOAD_VECTOR(rowScores + k) - shift);
                    STORE_VECTOR(weight, rowScores + k);
                    blockSums += weight;
                }
                sums[row] = MULTIPLY_ADD(sums[row], rescale[r], SUM_LANES(blockSums));
            }

            if (masked) {
                // What has weight 0 is left out: 0 * NaN would be NaN.
                for (int r = 0; r < ROW_TILE && firstRow + r < rows; r++) {
                    __local float *outputRow = outputRows + (firstRow + r) * valueDim;
                    for (int d = 0; d < valueDim; d++) {
                        outputRow[d] *= rescale[r];
                    }
                    for (int k = 0; k < keysHere; k++) {
                        const float weight = weights[r][k];
                        __global const STORED *valueRow = valueRows + k * valueRowStride;
                        for (int d = 0; weight != 0.0f && d < valueDim; d++) {
                            outputRow[d] = MULTIPLY_ADD(weight, load_stored(valueRow, d), outputRow[d]);
                        }
                    }
                }
                continue;
            }
            int d = 0;
            for (int k0 = 0; k0 < keysHere; k0 += VALUE_TILE) {
                const int k1 = min(k0 + VALUE_TILE, keysHere);
                for (int k = k0; k < k1; k++) {
                    ask_ahead(valueRows, valueRowStride, valueDim, nextKeys, keyRowStride, headDim, keysHere, k,
                              valuesAhead);
                }
                float factor[ROW_TILE];
                for (int r = 0; r < ROW_TILE; r++) {
                    factor[r] = k0 == 0 ? rescale[r] : 1.0f;
                }
                for (d = 0; d + DIM_TILE * VECTOR_WIDTH <= valueDim; d += DIM_TILE * VECTOR_WIDTH) {
                    OUTPUT_TILE(DIM_TILE, d)
                }
                for (; d + VECTOR_WIDTH <= valueDim; d += VECTOR_WIDTH) {
                    OUTPUT_TILE(1, d)
                }
            }
            for (; d < valueDim; d++) {
                for (int r = 0; r < ROW_TILE && firstRow + r < rows; r++) {
                    float sum = outputRows[(firstRow + r) * valueDim + d] * rescale[r];
                    for (int k = 0; k < keysHere; k++) {
                        sum = MULTIPLY_ADD(weights[r][k], load_stored(valueRows, k * valueRowStride + d), sum);
                    }
                    outputRows[(firstRow + r) * valueDim + d] = sum;
                }
            }
        }
    }

    const long firstAt = ((long)batch * queryHeads + firstHead) * queries + firstOfBlock;
    const long splitAt = (long)split * (get_num_groups(1) / units) * queryHeads * queries;
    const bool whole = get_num_groups(0) == 1;
    for (int row = 0; row < rows; row++) {
        const long at = firstAt + row;
        const float factor = sums[row] == 0.0f ? 0.0f : 1.0f / sums[row];
        for (int d = 0; d < valueDim; d++) {
            const float mean = outputRows[row * valueDim + d] * factor;
            if (whole) {
                store_stored(mean, output, at * valueDim + d);
            } else {
                partialOutput[(splitAt + at) * valueDim + d] = mean;
            }
        }
        if (!whole) {
            partialSums[splitAt + at] = (float2)(maxima[row], sums[row]);
        } else if (features & HAS_LOG_SUM_EXP) {
            logSumExp[at] = sums[row] == 0.0f ? -INFINITY : LOG_OF_SUM(float, maxima[row], sums[row]);
        }
    }
}
