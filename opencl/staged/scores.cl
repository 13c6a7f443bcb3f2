// Scores, step 1 of the staged plan: S = Q K^T, the dot product of each query with each key.
//
// Arguments and shapes: common/forward_call.clh, staged/block.clh; the scores are not scaled yet.
//
// Work-groups: (key tile, query tile, head). A work-group stages a slice of headDim of its query rows and key rows in
// local memory, transposed, so that work-items read neighbouring keys as vectors; each work-item accumulates
// MICRO_QUERIES x (MICRO_VECTORS * VECTOR_WIDTH) scores in registers. Tiles of keys that none of its queries may attend to are
// not computed; what lies there is written over by scale_mask.
//
// Local memory: DIM_SLICE * (TILE_QUERIES + TILE_KEYS) floats.

#include "common/key_range.clh"
#include "common/key_rows.clh"
#include "common/multiply_add.clh"
#include "staged/block.clh"

#ifndef LOCAL_QUERIES
#define LOCAL_QUERIES 16 // work-items of a work-group along the queries
#endif
#ifndef LOCAL_KEYS
#define LOCAL_KEYS 16 // work-items of a work-group along the keys
#endif
#ifndef MICRO_QUERIES
#define MICRO_QUERIES 4 // query rows of a work-item
#endif
#ifndef MICRO_VECTORS
#define MICRO_VECTORS 1 // vectors of keys of a work-item
#endif
#ifndef DIM_SLICE
#define DIM_SLICE 16 // columns of query and key staged at a time
#endif

#define TILE_QUERIES (LOCAL_QUERIES * MICRO_QUERIES)
#define TILE_KEYS (LOCAL_KEYS * MICRO_VECTORS * VECTOR_WIDTH)
#define GROUP_ITEMS (LOCAL_QUERIES * LOCAL_KEYS)

__kernel __attribute__((reqd_work_group_size(LOCAL_KEYS, LOCAL_QUERIES, 1))) void scores(
    BLOCK_PARAMETERS) {
    __local float queryTile[DIM_SLICE * TILE_QUERIES];
    __local float keyTile[DIM_SLICE * TILE_KEYS];

    const int item = get_local_id(1) * LOCAL_KEYS + get_local_id(0);
    const int batch = (firstHead + get_group_id(2)) / call.queryHeads;
    const int head = (firstHead + get_group_id(2)) % call.queryHeads;
    const int tileQuery = get_group_id(1) * TILE_QUERIES;
    const int tileKey = get_group_id(0) * TILE_KEYS;
    const int rowsHere = min(TILE_QUERIES, blockQueries - tileQuery);
    const int keysHere = min(TILE_KEYS, call.keys - tileKey);

    query += row_at(&call.query, batch, head, firstQuery + tileQuery);
    const KeyRows keys = KEY_ROWS(key, call, batch, head / call.group);

    // A tile that no query may attend to runs no iteration: the trip count stays the same for the whole work-group, as the
    // barriers need it.
    const KeyRange range = key_range_of_rows(&call, keyRanges, batch, firstQuery + tileQuery, rowsHere);
    const int dims = tileKey < range.end && tileKey + keysHere > range.begin ? call.headDim : 0;

    VECTOR sums[MICRO_QUERIES][MICRO_VECTORS];
    for (int m = 0; m < MICRO_QUERIES; m++) {
        for (int n = 0; n < MICRO_VECTORS; n++) {
            sums[m][n] = (VECTOR)(0.0f);
        }
    }

    for (int firstDim = 0; firstDim < dims; firstDim += DIM_SLICE) {
        const long queryStride = call.query.rowStride;
        for (int n = item; n < TILE_QUERIES * DIM_SLICE; n += GROUP_ITEMS) {
            const int row = n / DIM_SLICE;
            const int dim = n % DIM_SLICE;
            const bool inside = row < rowsHere && firstDim + dim < dims;
            queryTile[dim * TILE_QUERIES + row] =
                inside ? load_stored(query, row * queryStride + firstDim + dim) : 0.0f;
        }
        for (int n = item; n < TILE_KEYS * DIM_SLICE; n += GROUP_ITEMS) {
            const int row = n / DIM_SLICE;
            const int dim = n % DIM_SLICE;
            const bool inside = row < keysHere && firstDim + dim < dims;
            keyTile[dim * TILE_KEYS + row] = inside ? load_key(keys, key_at(keys, tileKey + row) + firstDim + dim) : 0.0f;
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
        for (int dim = 0; dim < DIM_SLICE; dim++) {
            __local const float *queryRow = queryTile + dim * TILE_QUERIES + get_local_id(1) * MICRO_QUERIES;
            __local const float *keyRow = keyTile + dim * TILE_KEYS + get_local_id(0) * VECTOR_WIDTH;
            VECTOR keyVectors[MICRO_VECTORS];
            for (int n = 0; n < MICRO_VECTORS; n++) {
                keyVectors[n] = LOAD_VECTOR(keyRow + n * LOCAL_KEYS * VECTOR_WIDTH);
            }
            for (int m = 0; m < MICRO_QUERIES; m++) {
                const VECTOR queryElement = (VECTOR)(queryRow[m]);
                for (int n = 0; n < MICRO_VECTORS; n++) {
                    partial[m][n] = MULTIPLY_ADD(queryElement, keyVectors[n], partial[m][n]);
                }
            }
        }
        for (int m = 0; m < MICRO_QUERIES; m++) {
            for (int n = 0; n < MICRO_VECTORS; n++) {
                sums[m][n] += partial[m][n];
            }
        }
        // Slower work-items may still read this slice when faster ones would write the next.
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    scores += scoresOffset + ((long)get_group_id(2) * blockQueries + tileQuery) * call.keys + tileKey;
    for (int m = 0; m < MICRO_QUERIES; m++) {
        const int row = get_local_id(1) * MICRO_QUERIES + m;
        for (int n = 0; n < MICRO_VECTORS; n++) {
            const int column = (get_local_id(0) + n * LOCAL_KEYS) * VECTOR_WIDTH;
            __global float *to = scores + (long)row * call.keys + column;
            if (row < rowsHere && column + VECTOR_WIDTH <= keysHere) {
                STORE_VECTOR(sums[m][n], to);
            } else if (row < rowsHere) {
                float lanes[VECTOR_WIDTH];
                STORE_VECTOR(sums[m][n], lanes);
                for (int lane = 0; lane < VECTOR_WIDTH && column + lane < keysHere; lane++) {
                    to[lane] = lanes[lane];
                }
            }
        }
    }
}
