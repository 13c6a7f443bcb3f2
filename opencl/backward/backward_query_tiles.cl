// Gradients of queries by tiles, for GPU-class devices.
//
// Arguments and shapes: common/forward_call.clh, of which output and logSumExp are not read, and
//   gradientRows [batch, queryHeads, queries, valueDim]  | from backward_preprocess
//   logSumExps, rests [batch, queryHeads, queries]       |
//   queryGradient [batch, queryHeads, queries, headDim]  float, written
//   slopeParts    [batch, queryHeads, queries]           float, written with wantsSlopes: what each query adds to the gradient of
//                                                        its ALiBi slope
//
// A work-group has a tile of queries of one head and visits its keys, a tile at a time: dQ += dX K (Dao, "FlashAttention-2",
// 2023, algorithm 2). P and dX are computed here and in backward_key_value_tiles, seven products instead of five, so that no two
// work-groups add to one number: the same bits each time.

#include "backward/backward_tile.clh"

// Puts key j of a work-item's dX into the tile, [key][query].
#define PUT_TRANSPOSED(j)                                                                                              \
    tile[(4 * b + j) * PITCH + a] =                                                                                    \
        (float4)(gradients[0].s##j, gradients[1].s##j, gradients[2].s##j, gradients[3].s##j);

#define CLEAR_TOTALS(t) clear(totals[t]);
#define ADD_TO_TOTALS(t) ADD_ROWS(totals[t], (t) * TILE, KEY4, masks)
#define STORE_TOTALS(t)                                                                                                \
    store_totals(totals[t], a, b, queriesHere, (t) * TILE, call.headDim, queryGradient + firstRow * call.headDim);

SUB_GROUP __kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void backward_query_tiles(
    FORWARD_PARAMETERS, __global const float *gradientRows, __global const float *logSumExps,
    __global const float *rests, __global float *queryGradient, __global float *slopeParts, int wantsSlopes) {
    TILE_MEMORY
    const int tiles = (call.queries + TILE - 1) / TILE;
    const int unit = get_group_id(0) / tiles;
    const int batch = unit / call.queryHeads;
    const int head = unit % call.queryHeads;
    const int firstQuery = get_group_id(0) % tiles * TILE;
    const int queriesHere = min(TILE, call.queries - firstQuery);
    const long firstRow = ((long)batch * call.queryHeads + head) * call.queries + firstQuery;
    const KeyRows keys = KEY_ROWS(key, call, batch, head / call.group);
    const ValueRows values = VALUE_ROWS(value, call, batch, head / call.group);
    const KeyRange range = key_range_of_rows(&call, keyRanges, batch, firstQuery, queriesHere);
    float4 totals[HEAD_TILES][4];
    EACH_TILE(HEAD_TILES, CLEAR_TOTALS)
    float slopes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (item < TILE) {
        read_query(rows, item, queriesHere, logSumExps, rests, keyRanges, alibiSlopes, &call, batch, head, firstQuery,
                   firstRow);
    }

    // From a multiple of 4, as the numbers of dropout ask for.
    for (int firstKey = range.begin / TILE * TILE; firstKey < range.end; firstKey += TILE) {
        const int keysHere = min(TILE, call.keys - firstKey);
        LOOK_AT_TILE
        if (seenHere & SOME_ATTENDED) {
            COMPUTE_TILE(slopes)
            PUT_TRANSPOSED(0)
            PUT_TRANSPOSED(1)
            PUT_TRANSPOSED(2)
            PUT_TRANSPOSED(3)
            EACH_TILE(HEAD_TILES, ADD_TO_TOTALS)
        }
        LEAVE_TILE
    }

    EACH_TILE(HEAD_TILES, STORE_TOTALS)
    if (wantsSlopes) {
        __local float *shares = (__local float *)tile; // [query][column of work-items]
        barrier(CLK_LOCAL_MEM_FENCE);
        UNROLL
        for (int i = 0; i < 4; i++) {
            shares[(4 * a + i) * SIDE + b] = slopes[i];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < queriesHere) {
            float sum = 0.0f;
            for (int n = 0; n < SIDE; n++) {
                sum += shares[item * SIDE + n];
            }
            slopeParts[firstRow + item] = sum;
        }
    }
}
