// Weighted sum, step 4 of the staged plan: O = P V, the values summed by the softmax's weights.
//
// Arguments and shapes: common/forward_call.clh, staged/block.clh; scores are the weights by now.
//
// Work-groups: (tile of valueDim, query tile, head). A work-group stages a slice of
// keys: their weights, transposed, and their values; each work-item accumulates
// MICRO_QUERIES x (MICRO_VECTORS * VECTOR_WIDTH) outputs in registers. Keys that none of its queries may attend to are not visited.
//
// With SKIP_MASKED (anything in the operation masks, or DROPOUT) a weight of -0 takes nothing from its value: 0 * NaN would be NaN, and what
// a masked value holds must not show. A weight of +0 is that of a key which counts, and has underflowed.
//
// Each slice of keys is summed by itself, FOLDED_SLICES of them are added up, and their sum joins the total
// (common/running_total.clh).
//
// Local memory: KEY_SLICE * (TILE_QUERIES + TILE_DIMS) floats.

#include "common/dropout.clh"
#include "common/key_range.clh"
#include "common/key_rows.clh"
#include "common/multiply_add.clh"
#include "common/running_total.clh"
#include "staged/block.clh"

#ifndef LOCAL_QUERIES
#define LOCAL_QUERIES 16 // work-items of a work-group along the queries
#endif
#ifndef LOCAL_DIMS
#define LOCAL_DIMS 16 // work-items of a work-group along valueDim
#endif
#ifndef MICRO_QUERIES
#define MICRO_QUERIES 4 // query rows of a work-item
#endif
#ifndef MICRO_VECTORS
#define MICRO_VECTORS 1 // vectors of valueDim of a work-item
#endif
#ifndef KEY_SLICE
#define KEY_SLICE 16 // keys staged at a time
#endif
#ifndef FOLDED_SLICES
#define FOLDED_SLICES 64 // slices that are added up before they join the total
#endif

#define TILE_QUERIES (LOCAL_QUERIES * MICRO_QUERIES)
#define TILE_DIMS (LOCAL_DIMS * MICRO_VECTORS * VECTOR_WIDTH)
#define GROUP_ITEMS (LOCAL_QUERIES * LOCAL_DIMS)

#ifdef DROPOUT
RANDOM_LANES(4, 2)

// NaN, which then is in all weights of the row, stays.
float drop(float weight, int batch, int head, int queryRow, int key, __global const int *numbers) {
    uint words[4];
    vstore4(random_lanes4((uint4)((uint)key), queryRow, head, batch, numbers), 0, words);
    return weight == weight ? DROP_WEIGHT(float, weight, words[key % 4]) : weight;
}
#define DROPPED(weight, row, key) drop(weight, batch, head, firstQuery + tileQuery + (row), key, numbers)
#else
#define DROPPED(weight, row, key) (weight)
#endif

__kernel __attribute__((reqd_work_group_size(LOCAL_DIMS, LOCAL_QUERIES, 1))) void weighted_sum(
    BLOCK_PARAMETERS) {
    __local float weightTile[KEY_SLICE * TILE_QUERIES];
    __local float valueTile[KEY_SLICE * TILE_DIMS];

    const int item = get_local_id(1) * LOCAL_DIMS + get_local_id(0);
    const int batch = (firstHead + get_group_id(2)) / call.queryHeads;
    const int head = (firstHead + get_group_id(2)) % call.queryHeads;
    const int tileQuery = get_group_id(1) * TILE_QUERIES;
    const int tileDim = get_group_id(0) * TILE_DIMS;
    const int rowsHere = min(TILE_QUERIES, blockQueries - tileQuery);
    const int dimsHere = min(TILE_DIMS, call.valueDim - tileDim);

    const KeyRange range = key_range_of_rows(&call, keyRanges, batch, firstQuery + tileQuery, rowsHere);
    const int end = range.end;

    __global const float *weights = scores + scoresOffset + ((long)get_group_id(2) * blockQueries + tileQuery) * call.keys;
    const ValueRows values = VALUE_ROWS(value, call, batch, head / call.group);

    VECTOR sums[MICRO_QUERIES][MICRO_VECTORS];
    VECTOR totals[MICRO_QUERIES][MICRO_VECTORS];
    VECTOR lost[MICRO_QUERIES][MICRO_VECTORS];
    for (int m = 0; m < MICRO_QUERIES; m++) {
        for (int n = 0; n < MICRO_VECTORS; n++) {
            sums[m][n] = (VECTOR)(0.0f);
            totals[m][n] = (VECTOR)(0.0f);
            lost[m][n] = (VECTOR)(0.0f);
        }
    }

    int slices = 0; // since the last ones joined the total
    for (int firstKey = range.begin; firstKey < end; firstKey += KEY_SLICE) {
        const long weightStride = call.keys;
        for (int n = item; n < TILE_QUERIES * KEY_SLICE; n += GROUP_ITEMS) {
            const int row = n / KEY_SLICE;
            const int key = n % KEY_SLICE;
            const bool inside = row < rowsHere && firstKey + key < end;
            weightTile[key * TILE_QUERIES + row] = inside ? DROPPED(weights[row * weightStride + firstKey + key], row, firstKey + key) : -0.0f;
        }
        for (int n = item; n < TILE_DIMS * KEY_SLICE; n += GROUP_ITEMS) {
            const int key = n / TILE_DIMS;
            const int dim = n % TILE_DIMS;
            const bool inside = dim < dimsHere && firstKey + key < end;
            valueTile[key * TILE_DIMS + dim] = inside ? load_value(values, value_at(values, firstKey + key) + tileDim + dim) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);

        // Sums of this slice alone live between two barriers, so that compilers which turn work-items into loops (PoCL)
        // keep them in registers; what lives across a barrier they keep in memory.
        VECTOR partial[MICRO_QUERIES][MICRO_VECTORS];
        for (int m = 0; m < MICRO_QUERIES; m++) {
            for (int n = 0; n < MICRO_VECTORS; n++) {
                partial[m][n] = (VECTOR)(0.0f);
            }
        }
        for (int key = 0; key < KEY_SLICE; key++) {
            __local const float *weightRow = weightTile + key * TILE_QUERIES + get_local_id(1) * MICRO_QUERIES;
            __local const float *valueRow = valueTile + key * TILE_DIMS + get_local_id(0) * VECTOR_WIDTH;
            VECTOR valueVectors[MICRO_VECTORS];
            for (int n = 0; n < MICRO_VECTORS; n++) {
                valueVectors[n] = LOAD_VECTOR(valueRow + n * LOCAL_DIMS * VECTOR_WIDTH);
            }
            for (int m = 0; m < MICRO_QUERIES; m++) {
                const float weight = weightRow[m];
                for (int n = 0; n < MICRO_VECTORS; n++) {
                    const VECTOR sum = MULTIPLY_ADD((VECTOR)(weight), valueVectors[n], partial[m][n]);
#ifdef SKIP_MASKED
                    partial[m][n] = as_int(weight) == INT_MIN ? partial[m][n] : sum;
#else
                    partial[m][n] = sum;
#endif
                }
            }
        }
        for (int m = 0; m < MICRO_QUERIES; m++) {
            for (int n = 0; n < MICRO_VECTORS; n++) {
                sums[m][n] += partial[m][n];
            }
        }
        slices++;
        if (slices == FOLDED_SLICES || firstKey + KEY_SLICE >= end) {
            slices = 0;
            for (int m = 0; m < MICRO_QUERIES; m++) {
                for (int n = 0; n < MICRO_VECTORS; n++) {
                    ADD_TO_TOTAL(VECTOR, totals[m][n], lost[m][n], 1.0f, sums[m][n])
                    sums[m][n] = (VECTOR)(0.0f);
                }
            }
        }
        // Slower work-items may still read this slice when faster ones would write the next.
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    output += ((long)(firstHead + get_group_id(2)) * call.queries + firstQuery + tileQuery) * call.valueDim + tileDim;
    for (int m = 0; m < MICRO_QUERIES; m++) {
        const int row = get_local_id(1) * MICRO_QUERIES + m;
        for (int n = 0; n < MICRO_VECTORS; n++) {
            const int column = (get_local_id(0) + n * LOCAL_DIMS) * VECTOR_WIDTH;
            float lanes[VECTOR_WIDTH];
            STORE_VECTOR(KEPT_FACTOR(totals[m][n] + lost[m][n]), lanes);
            for (int lane = 0; lane < VECTOR_WIDTH; lane++) {
                if (row < rowsHere && column + lane < dimsHere) {
                    store_stored(lanes[lane], output, (long)row * call.valueDim + column + lane);
                }
            }
        }
    }
}
