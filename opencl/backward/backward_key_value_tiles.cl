// Gradients of keys and values by tiles, for GPU-class devices.
//
// Arguments and shapes: common/forward_call.clh, of which output and logSumExp are not read, and
//   gradientRows [batch, queryHeads, queries, valueDim]  | from backward_preprocess
//   logSumExps, rests [batch, queryHeads, queries]       |
//   keyGradient   [batch, keyValueHeads, keys, headDim]  float, written
//   valueGradient [batch, keyValueHeads, keys, valueDim] float, written
//
// A work-group has a tile of keys of one key/value head and visits all queries of its heads, a tile at a time:
//
//   dV += P^T G, dK += dX^T Q
//
// (Dao, "FlashAttention-2", 2023, algorithm 2). No atomics: the same bits each time.

#include "backward/backward_tile.clh"

// Puts a work-item's part into the tile, [query][key].
INLINE void put(__local float4 *tile, int a, int b, const float4 *numbers) {
    UNROLL
    for (int i = 0; i < 4; i++) {
        tile[(4 * a + i) * PITCH + b] = numbers[i];
    }
}

#define CLEAR_KEYS(t) clear(keyTotals[t]);
#define CLEAR_VALUES(t) clear(valueTotals[t]);
#define ADD_TO_KEYS(t) ADD_ROWS(keyTotals[t], (t) * TILE, QUERY4, masks)
#define ADD_TO_VALUES(t) ADD_ROWS(valueTotals[t], (t) * TILE, GRADIENT4, masks)
#define STORE_KEYS(t)                                                                                                  \
    store_totals(keyTotals[t], a, b, keysHere, (t) * TILE, call.headDim, keyGradient + at * call.headDim);
#define STORE_VALUES(t)                                                                                                \
    store_totals(valueTotals[t], a, b, keysHere, (t) * TILE, call.valueDim, valueGradient + at * call.valueDim);

SUB_GROUP __kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void backward_key_value_tiles(
    FORWARD_PARAMETERS, __global const float *gradientRows, __global const float *logSumExps,
    __global const float *rests, __global float *keyGradient, __global float *valueGradient) {
    TILE_MEMORY
    const int keyValueHeads = call.queryHeads / call.group;
    const int tiles = (call.keys + TILE - 1) / TILE;
    const int unit = get_group_id(0) / tiles;
    const int batch = unit / keyValueHeads;
    const int keyValueHead = unit % keyValueHeads;
    const int firstKey = get_group_id(0) % tiles * TILE;
    const int keysHere = min(TILE, call.keys - firstKey);
    const KeyRows keys = KEY_ROWS(key, call, batch, keyValueHead);
    const ValueRows values = VALUE_ROWS(value, call, batch, keyValueHead);
    float4 keyTotals[HEAD_TILES][4];
    float4 valueTotals[VALUE_TILES][4];
    EACH_TILE(HEAD_TILES, CLEAR_KEYS)
    EACH_TILE(VALUE_TILES, CLEAR_VALUES)
    float slopes[4] = {0.0f, 0.0f, 0.0f, 0.0f}; // not wanted here

    for (int head = keyValueHead * call.group; head < (keyValueHead + 1) * call.group; head++) {
        for (int firstQuery = 0; firstQuery < call.queries; firstQuery += TILE) {
            const int queriesHere = min(TILE, call.queries - firstQuery);
            const long firstRow = ((long)batch * call.queryHeads + head) * call.queries + firstQuery;
            bool visited = true;
            if (!(call.options & HAS_KEY_RANGES)) {
                const KeyRange range = key_range_of_rows(&call, keyRanges, batch, firstQuery, queriesHere);
                visited = range.begin < firstKey + keysHere && range.end > firstKey;
            }
            if (visited) {
                if (item < TILE) {
                    read_query(rows, item, queriesHere, logSumExps, rests, keyRanges, alibiSlopes, &call, batch, head,
                               firstQuery, firstRow);
                }
                LOOK_AT_TILE
                if (seenHere & SOME_ATTENDED) {
                    COMPUTE_TILE(slopes)
                    put(tile, a, b, weights);
                    EACH_TILE(VALUE_TILES, ADD_TO_VALUES)
                    barrier(CLK_LOCAL_MEM_FENCE);
                    put(tile, a, b, gradients);
                    EACH_TILE(HEAD_TILES, ADD_TO_KEYS)
                }
                LEAVE_TILE
            }
        }
    }

    const long at = ((long)batch * keyValueHeads + keyValueHead) * call.keys + firstKey;
    EACH_TILE(HEAD_TILES, STORE_KEYS)
    EACH_TILE(VALUE_TILES, STORE_VALUES)
}
