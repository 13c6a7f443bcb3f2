// Gradients of keys and values, and parts of those of queries, in one pass over the queries for each tile of keys, for CPU-class
// devices. Weights are computed again from the log-sum-exp: memory grows with the lengths, not with their product.
//
// Arguments and shapes: common/forward_call.clh, of which output and logSumExp are not read, and
//   gradientRows [batch, queryHeads, queries, valueDim]  | from backward_preprocess
//   logSumExps, rests [batch, queryHeads, queries]       |
//   keyGradient   [batch, keyValueHeads, keys, headDim]  float, written
//   valueGradient [batch, keyValueHeads, keys, valueDim] float, written
//   queryParts    [splits, batch, queryHeads, queries, padded headDim]  float, written: their sums over the splits are the
//                 gradient of the query; the width is padded to whole vectors. Of one split without padding they are the gradient
//   slopeParts    [splits, batch, queryHeads, queries]   float, written with wantsSlopes: of ALiBi
//   memory        BLOCK_VECTORS and (headDim + valueDim) * KEY_VECTORS vectors
//
// A work-group is one work-item. It has a key/value head, and of the tiles of KEYS keys each splits-th; queries of all heads that
// share the key/value head are its own, so that no other work-group adds to its sums: work-groups (splits, batch * keyValueHeads).
//
//   for each tile of keys, a key in each lane, and each block of QUERY_BLOCK queries
//     P and dX as backward_block.clh has them
//     dV[dim][key] += G^T P     | in register tiles of DIM_TILE dims x KEY_VECTORS, each block summed from 0
//     dK[dim][key] += Q^T dX    |
//     dQ[query][dim] += dX K    in register tiles of QUERY_TILE queries x KEY_VECTORS vectors of dims, each tile summed from 0

#include "backward/backward_block.clh"

// One row of numbers as floats.
typedef __global const float *Numbers;
#define CHECKED Numbers
#define CHECKED_AT(from, row) 0
#define CHECKED_VECTOR(from, at) LOAD_VECTOR((from) + (at))
#define CHECKED_ELEMENT(from, at) (from)[at]
#include "common/not_finite.clh"
#define NOT_FINITE(numbers, count) any_not_finite(numbers, 0, 1, count)

bool lanes_not_finite(__local const VECTOR *lanes, int count) {
    INT_VECTOR found = (INT_VECTOR)(0);
    for (int n = 0; n < count; n++) {
        found |= (AS_INT_VECTOR(lanes[n]) & 0x7F800000) == 0x7F800000;
    }
    return any(found);
}

#ifndef DIM_TILE
#define DIM_TILE 6 // dims of a register tile of gradients of keys and values
#endif

// sums[dim][key] of DIMS dims from firstDim on, plus rows^T weights over the block's queries.
#define GRADIENT_TILE(DIMS, firstDim)                                                                                  \
    {                                                                                                                  \
        VECTOR tile[DIMS][KEY_VECTORS];                                                                                \
        _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                             \
            _Pragma("unroll") for (int r = 0; r < KEY_VECTORS; r++) {                                                  \
                tile[t][r] = (VECTOR)(0.0f);                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        for (int i = 0; i < queries; i++) {                                                                            \
            VECTOR factors[KEY_VECTORS];                                                                               \
            _Pragma("unroll") for (int r = 0; r < KEY_VECTORS; r++) {                                                  \
                factors[r] = weights[i * KEY_VECTORS + r];                                                             \
            }                                                                                                          \
            _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                         \
                const VECTOR element = (VECTOR)(rows[i * width + (firstDim) + t]);                                     \
                _Pragma("unroll") for (int r = 0; r < KEY_VECTORS; r++) {                                              \
                    tile[t][r] = MULTIPLY_ADD(element, factors[r], tile[t][r]);                                        \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("unroll") for (int t = 0; t < DIMS; t++) {                                                             \
            _Pragma("unroll") for (int r = 0; r < KEY_VECTORS; r++) {                                                  \
                sums[((firstDim) + t) * KEY_VECTORS + r] += tile[t][r];                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

void add_gradients(__global const float *rows, int width, __local const VECTOR *weights, int queries,
                   __local VECTOR *sums) {
    int d = 0;
#if DIM_TILE > 4
    // Tiles of 4 or 8 dims and then DIM_TILE leave fewer small ones.
    for (; d < 8 && d + 4 <= width && (width - d) % DIM_TILE != 0; d += 4) {
        GRADIENT_TILE(4, d)
    }
#endif
    for (; d + DIM_TILE <= width; d += DIM_TILE) {
        GRADIENT_TILE(DIM_TILE, d)
    }
    for (; d + 2 <= width; d += 2) {
        GRADIENT_TILE(2, d)
    }
    for (; d < width; d++) {
        GRADIENT_TILE(1, d)
    }
}

// The same where masked weights meet NaN or infinity: `marks` says which are masked.
void add_finite_gradients(__global const float *rows, int width, __local const VECTOR *weights,
                          __local const VECTOR *marks, int queries, __local VECTOR *sums) {
    for (int d = 0; d < width; d++) {
        for (int r = 0; r < KEY_VECTORS; r++) {
            VECTOR sum = (VECTOR)(0.0f);
            for (int i = 0; i < queries; i++) {
                const VECTOR with = MULTIPLY_ADD((VECTOR)(rows[i * width + d]), weights[i * KEY_VECTORS + r], sum);
                sum = select(with, sum, AS_INT_VECTOR(marks[i * KEY_VECTORS + r]) == INT_MIN);
            }
            sums[d * KEY_VECTORS + r] += sum;
        }
    }
}

// Of QUERY_TILE queries from i on, VECTORS vectors of dims from vector c on.
#define QUERY_GRADIENT_TILE(VECTORS, c)                                                                                \
    {                                                                                                                  \
        VECTOR tile[QUERY_TILE][VECTORS];                                                                              \
        _Pragma("unroll") for (int t = 0; t < QUERY_TILE; t++) {                                                       \
            _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
                tile[t][v] = (VECTOR)(0.0f);                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        for (int k = 0; k < keysHere; k++) {                                                                           \
            VECTOR elements[VECTORS];                                                                                  \
            _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
                elements[v] = keyRows[k * vectors + (c) + v];                                                          \
            }                                                                                                          \
            _Pragma("unroll") for (int t = 0; t < QUERY_TILE; t++) {                                                   \
                const VECTOR factor = (VECTOR)(from[t][k]);                                                            \
                _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                  \
                    tile[t][v] = MULTIPLY_ADD(factor, elements[v], tile[t][v]);                                        \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("unroll") for (int t = 0; t < QUERY_TILE; t++) {                                                       \
            _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
                if (i + t < queries) {                                                                                 \
                    __global float *sum = sums + ((long)(i + t) * vectors + (c) + v) * VECTOR_WIDTH;                   \
                    STORE_VECTOR(LOAD_VECTOR(sum) + tile[t][v], sum);                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

// keyRows: [KEYS][vectors of dims].
void add_query_gradients(__local const VECTOR *weights, int queries, __local const VECTOR *keyRows, int keysHere,
                         int vectors, __global float *sums) {
    for (int i = 0; i < queries; i += QUERY_TILE) {
        __local const float *from[QUERY_TILE];
        for (int t = 0; t < QUERY_TILE; t++) {
            from[t] = (__local const float *)(weights + min(i + t, queries - 1) * KEY_VECTORS);
        }
        int c = 0;
        for (; c + KEY_VECTORS <= vectors; c += KEY_VECTORS) {
            QUERY_GRADIENT_TILE(KEY_VECTORS, c)
        }
#if KEY_VECTORS > 2
        for (; c + 2 <= vectors; c += 2) {
            QUERY_GRADIENT_TILE(2, c)
        }
#endif
        for (; c < vectors; c++) {
            QUERY_GRADIENT_TILE(1, c)
        }
    }
}

void add_finite_query_gradients(__local const VECTOR *weights, __local const VECTOR *marks, int queries,
                                __local const VECTOR *keyRows, int keysHere, int vectors, __global float *sums) {
    for (int i = 0; i < queries; i++) {
        __local const float *row = (__local const float *)(weights + i * KEY_VECTORS);
        __local const int *mark = (__local const int *)(marks + i * KEY_VECTORS);
        for (int c = 0; c < vectors; c++) {
            VECTOR sum = (VECTOR)(0.0f);
            for (int k = 0; k < keysHere; k++) {
                if (mark[k] != INT_MIN) {
                    sum = MULTIPLY_ADD((VECTOR)(row[k]), keyRows[k * vectors + c], sum);
                }
            }
            __global float *to = sums + ((long)i * vectors + c) * VECTOR_WIDTH;
            STORE_VECTOR(LOAD_VECTOR(to) + sum, to);
        }
    }
}

// to[key][dim] of sums[dim][key].
void store_gradients(__local const VECTOR *sums, int keysHere, int width, __global float *to) {
    __local const float *lanes = (__local const float *)sums;
    int k = 0;
#if VECTOR_WIDTH >= 8
    for (; k + 8 <= keysHere; k += 8) {
        int d = 0;
        for (; d + 8 <= width; d += 8) {
            float8 block[8];
            float8 spare[8];
#pragma unroll
            for (int n = 0; n < 8; n++) {
                block[n] = vload8(0, lanes + (d + n) * KEYS + k);
            }
            TRANSPOSE_8X8(float8, block, spare)
#pragma unroll
            for (int n = 0; n < 8; n++) {
                vstore8(spare[n], 0, to + (long)(k + n) * width + d);
            }
        }
        for (; d < width; d++) {
            for (int n = 0; n < 8; n++) {
                to[(long)(k + n) * width + d] = lanes[d * KEYS + k + n];
            }
        }
    }
#endif
    for (; k < keysHere; k++) {
        for (int d = 0; d < width; d++) {
            to[(long)k * width + d] = lanes[d * KEYS + k];
        }
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_key_value(
    FORWARD_PARAMETERS, __global const float *gradientRows, __global const float *logSumExps,
    __global const float *rests, __global float *keyGradient, __global float *valueGradient,
    __global float *queryParts, __global float *slopeParts, int wantsSlopes, __local VECTOR *memory) {
    const int headDim = call.headDim;
    const int valueDim = call.valueDim;
    const int vectors = ROWS_OF_VECTORS(headDim);
    const BackwardBlock block = block_in(memory, headDim, valueDim);
    __local VECTOR *keySums = memory + BLOCK_VECTORS(headDim, valueDim);
    __local VECTOR *valueSums = keySums + LANE_VECTORS(headDim);
    const int keyValueHeads = call.queryHeads / call.group;
    const int split = get_group_id(0);
    const int splits = get_num_groups(0);
    const int batch = get_group_id(1) / keyValueHeads;
    const int keyValueHead = get_group_id(1) % keyValueHeads;
    const int firstHead = keyValueHead * call.group;
    const long firstRow = ((long)batch * call.queryHeads + firstHead) * call.queries;
    const long rows = (long)get_num_groups(1) * call.group * call.queries;
    // Those of the first of its heads' queries.
    const int padded = vectors * VECTOR_WIDTH;
    __global float *ownParts = queryParts + (split * rows + firstRow) * padded;
    __global float *ownSlopes = slopeParts + split * rows + firstRow;
    for (long n = 0; n < (long)call.group * call.queries * padded; n += VECTOR_WIDTH) {
        STORE_VECTOR((VECTOR)(0.0f), ownParts + n);
    }
    for (int n = 0; wantsSlopes && n < call.group * call.queries; n++) {
        ownSlopes[n] = 0.0f;
    }
    const KeyRows keys = KEY_ROWS(key, call, batch, keyValueHead);
    const ValueRows values = VALUE_ROWS(value, call, batch, keyValueHead);

    for (int firstKey = split * KEYS; firstKey < call.keys; firstKey += splits * KEYS) {
        const int keysHere = min(KEYS, call.keys - firstKey);
        read_tile(&block, keys, values, firstKey, keysHere, headDim, valueDim);
        const bool keysNotFinite = lanes_not_finite(block.keyLanes, LANE_VECTORS(headDim));
        for (int n = 0; n < LANE_VECTORS(headDim + valueDim); n++) {
            keySums[n] = (VECTOR)(0.0f); // and the valueSums after them
        }
        for (int head = firstHead; head < firstHead + call.group; head++) {
            for (int firstQuery = 0; firstQuery < call.queries; firstQuery += QUERY_BLOCK) {
                const int queries = min(QUERY_BLOCK, call.queries - firstQuery);
                const long row = (long)(head - firstHead) * call.queries + firstQuery;
                bool masks = false;
                if (!compute_block(&block, query, gradientRows, logSumExps, rests, keyRanges, alibiSlopes, mask, bias,
                                   &call, batch, head, firstQuery, queries, firstKey, keysHere, false,
                                   wantsSlopes ? ownSlopes + row : 0, &masks EXPRESSION_ARGUMENTS)) {
                    continue;
                }
                __global const float *gradients = gradientRows + (firstRow + row) * valueDim;
                if (masks && NOT_FINITE(gradients, queries * valueDim)) {
                    add_finite_gradients(gradients, valueDim, block.weights, block.weights, queries, valueSums);
                } else {
                    add_gradients(gradients, valueDim, block.weights, queries, valueSums);
                }
                __global const float *queryRows = QUERY_ROWS(query, call, batch, head, firstQuery);
                if (masks && NOT_FINITE(queryRows, queries * headDim)) {
                    add_finite_gradients(queryRows, headDim, block.gradients, block.MARKS_OF_SCORES, queries, keySums);
                } else {
                    add_gradients(queryRows, headDim, block.gradients, queries, keySums);
                }
                __local const VECTOR *keyRows = (__local const VECTOR *)block.rows;
                if (masks && keysNotFinite) {
                    add_finite_query_gradients(block.gradients, block.MARKS_OF_SCORES, queries, keyRows, keysHere,
                                               vectors, ownParts + row * padded);
                } else {
                    add_query_gradients(block.gradients, queries, keyRows, keysHere, vectors, ownParts + row * padded);
                }
            }
        }
        const long at = ((long)batch * keyValueHeads + keyValueHead) * call.keys + firstKey;
        store_gradients(keySums, keysHere, headDim, keyGradient + at * headDim);
        store_gradients(valueSums, keysHere, valueDim, valueGradient + at * valueDim);
    }
}
