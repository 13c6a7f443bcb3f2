// Mask blocks: finds for tiles of query rows and blocks of keys whether mask and mask expression let none, some or all pairs
// attend. The table that it writes: fused/block_table.clh. Key ranges are not part of it.
//
// A work-group of GROUP_ITEMS work-items finds the four blocks of a byte, one after another:
//
//   mask         a work-item tests MASK_KEYS neighbouring keys of one row at a time
//   expression   a work-item tests a key for VECTOR_WIDTH rows at a time, so that what depends on rows alone is read once
//
// It stops at a block as soon as it has found both a pair that attends and one that does not. Row r of a tile is query r % queries
// of the unit's head r / queries, as in the kernels that read the table. Where there are both a mask and an expression a block
// counts as not seen if either hides it, and as seen by all if neither hides any of it.

#include "common/key_range.clh"
#include "common/score.clh"
#include "common/vector.clh"
#include "fused/block_table.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 1
#endif
// MASKED is defined where the call has a mask; mask and expression each are compiled only where they are.

#define MASK_KEYS 16
#define BOTH (SOME_SEEN | SOME_UNSEEN)
#define EACH_SEEN 0x55 // of four blocks
#define EACH_UNSEEN 0xAA

typedef struct {
    int batch;
    int firstHead;
    int firstRow;
    int rows;
} Tile;

#ifdef MASKED
int seen_by_mask(const ForwardCall *call, __global const uchar *mask, Tile tile, int firstKey, int keysHere, int item) {
    const long keyStride = call->mask.keyStride;
    const bool rowsAlike = call->mask.queryStride == 0 && (call->mask.headStride == 0 || call->unitHeads == 1);
    const int rows = rowsAlike ? 1 : tile.rows;
    const int runs = (keysHere + MASK_KEYS - 1) / MASK_KEYS;
    int seen = 0;
    for (int n = item; n < rows * runs && seen != BOTH; n += GROUP_ITEMS) {
        const int row = tile.firstRow + n / runs;
        const int first = n % runs * MASK_KEYS;
        __global const uchar *attends =
            mask + scores_at(&call->mask, tile.batch, tile.firstHead + row / call->queries, row % call->queries) +
            (firstKey + first) * keyStride;
        if (keyStride == 1 && first + MASK_KEYS <= keysHere) {
            const char16 attended = vload16(0, attends) != (uchar16)(0);
            seen |= (any(attended) ? SOME_SEEN : 0) | (all(attended) ? 0 : SOME_UNSEEN);
        } else {
            for (int k = first; k < min(first + MASK_KEYS, keysHere); k++) {
                seen |= attends[(k - first) * keyStride] != 0 ? SOME_SEEN : SOME_UNSEEN;
            }
        }
    }
    return seen;
}
#define SEEN_BY_MASK(firstKey, keysHere) seen_by_mask(&call, mask, tile, firstKey, keysHere, item)
#else
#define SEEN_BY_MASK(firstKey, keysHere) SOME_SEEN
#endif

#ifdef MASK_EXPRESSION
#ifdef ROWS_OF_HEADS
#define HEAD_OF_ROWS LOAD_INT_VECTOR(heads)
#else
#define HEAD_OF_ROWS tile.firstHead
#endif

int seen_by_expression(const ForwardCall *call, __global const int *keyRanges, Tile tile, int firstKey, int keysHere,
                       int item, __global const int *numbers) {
    int seen = 0;
    for (int row = 0; row < tile.rows && seen != BOTH; row += VECTOR_WIDTH) {
        int queries[VECTOR_WIDTH];
        int positions[VECTOR_WIDTH];
#ifdef ROWS_OF_HEADS
        int heads[VECTOR_WIDTH];
#endif
        for (int lane = 0; lane < VECTOR_WIDTH; lane++) {
            // Lanes beyond the last row repeat it.
            const int unitRow = tile.firstRow + min(row + lane, tile.rows - 1);
            queries[lane] = unitRow % call->queries;
            positions[lane] = key_range(call, keyRanges, tile.batch, queries[lane]).position;
#ifdef ROWS_OF_HEADS
            heads[lane] = tile.firstHead + unitRow / call->queries;
#endif
        }
        INT_VECTOR anyAttend = (INT_VECTOR)(0);
        INT_VECTOR allAttend = (INT_VECTOR)(-1);
        for (int k = item; k < keysHere; k += GROUP_ITEMS) {
            const INT_VECTOR attended =
                mask_expression(tile.batch, HEAD_OF_ROWS, tile.firstHead / call->group, LOAD_INT_VECTOR(queries),
                                firstKey + k, LOAD_INT_VECTOR(positions), numbers);
            anyAttend |= attended;
            allAttend &= attended;
        }
        seen |= (any(anyAttend) ? SOME_SEEN : 0) | (all(allAttend) ? 0 : SOME_UNSEEN);
    }
    return seen;
}
#define SEEN_BY_EXPRESSION(firstKey, keysHere)                                                                         \
    seen_by_expression(&call, keyRanges, tile, firstKey, keysHere, item, numbers)
#else
#define SEEN_BY_EXPRESSION(firstKey, keysHere) SOME_SEEN
#endif

// Looks at the four blocks of a byte: what a work-item finds of the mask, and of the expression 8 bits above.
ONCE int seen_by_item(FORWARD_PARAMETERS, Tile tile, int firstKey, int blockKeys, int item) {
    int byMask = 0;
    int byExpression = 0;
    for (int n = 0; n < 4 && firstKey < call.keys; n++, firstKey += blockKeys) {
        const int keysHere = min(blockKeys, call.keys - firstKey);
        byMask |= SEEN_BY_MASK(firstKey, keysHere) << 2 * n;
        byExpression |= SEEN_BY_EXPRESSION(firstKey, keysHere) << 2 * n;
    }
    return byMask | byExpression << 8;
}

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void mask_blocks(
    FORWARD_PARAMETERS, __global uchar *table, int tableUnits, int tileRows, int blockKeys) {
    __local int seenByAll;
    const int item = get_local_id(0);
    const int unit = get_group_id(2);
    const int firstRow = get_group_id(1) * tileRows;
    const Tile tile = {unit / tableUnits, unit % tableUnits * call.unitHeads, firstRow,
                       min(tileRows, call.unitHeads * call.queries - firstRow)};
    const int seenHere = seen_by_item(FORWARD_ARGUMENTS, tile, get_group_id(0) * 4 * blockKeys, blockKeys, item);
    if (item == 0) {
        seenByAll = 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_or(&seenByAll, seenHere);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item == 0) {
        const int byMask = seenByAll & 0xFF;
        const int byExpression = seenByAll >> 8;
        table[((size_t)unit * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0)] =
            (byMask & byExpression & EACH_SEEN) | ((byMask | byExpression) & EACH_UNSEEN);
    }
}
