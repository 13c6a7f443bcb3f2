// Forward tiles: attention in one pass over keys and values, for GPU-class devices.
//
// Arguments and shapes: common/forward_call.clh, and partialOutput, partialSums, which are written instead of output and
// logSumExp if splits > 1, as merge_splits.cl reads them; wideOutput is not 0 where rows of the output consist of whole,
// aligned vectors of 4 elements; totals [work-groups, TOTAL_VECTORS, GROUP_ITEMS], where a row may have foldedTiles tiles of keys.
//
// A work-group owns TILE_ROWS query rows of unitHeads heads that share a key/value head (1 unless a head's own queries would
// leave most of a tile empty, as in decoding with grouped heads): row r is query r % queries of the unit's head r / queries.
//
//                        TILE_KEYS = COLUMN_ITEMS x MICRO_KEYS
//                      +---------------------------------------+
//   TILE_ROWS =        |        +-----------+                  |    a work-item's part of the scores:
//   ROW_ITEMS          |        | item's    |                  |    MICRO_ROWS x MICRO_KEYS, in registers
//   x MICRO_ROWS       |        +-----------+                  |    (interleaved, see tile_shape.clh); of the output
//                      +---------------------------------------+    likewise MICRO_ROWS x MICRO_DIMS
//
// It walks the keys that any of its rows may attend to, or its split's share of them, in tiles of TILE_KEYS, without those that a
// table says are hidden from all rows (fused/block_table.clh):
//
//   S = Q K^T     from slices of DIM_SLICE dims of both, transposed on their way into local memory
//   softcap, expressions, ALiBi, bias and masks on S, where the operation has them and, for key ranges, where the tile meets the end of one
//   m' = max(m, max S), P = e^(S - m'), l = l * e^(m - m') + sum P
//   A = P V       from slices of KEY_SLICE keys of both, from 0
//   O = O * e^(m - m') + A
//
// and at the end O / l (Dao, "FlashAttention-2", 2023). S, P and O stay in registers; P goes through local memory a slice at
// a time together with the values. Slices pass from global to local memory through registers, loaded before the products of the
// slice before them and stored after. Two barriers for each slice, all with uniform trip counts. What lies where: tile_shape.clh.
//
// The count for the largest tiling, 128 x 128 on 256 work-items, float32 and widths of 128, for each work-item and tile of
// keys:
//
//   16384 multiply-adds: 2 products x 128 x 8 x 8
//    1024 16-byte loads from local memory: 4 floats serve 16 multiply-adds, twice what 32 floats per clock ask for
//     128 4-byte and 34 16-byte stores to local memory
//      48 16-byte loads from global memory: 6 bytes per clock and multiprocessor at the peak, from the second-level cache
//      64 exp2, and 6 x 64 operations for scale, maximum, shift, log2(e), sum and rescale
//      26 barriers
//
// So 16384 of about 18300 instructions are multiply-adds: 90% of the peak if nothing waits. 64 scores, 64 outputs, 8 sums,
// 16 carried, 8 + 4 multiplied leave 90 of 255 registers for addresses; ptxas (sm_90) takes 255 and spills 68 bytes, none with
// widths of 64. One work-group fills the registers of a multiprocessor: 8 sub-groups, each with 64 independent sums.
// Local memory: 37 KiB, 20 KiB with slices half as long.
//
// Options and key ranges are arguments, tested once for each tile of keys; a kernel without OPTIONS (softcap, ALiBi, bias,
// mask) is lighter. headDim is an argument: nothing is unrolled over it. valueDim is rounded up to MICRO_DIMS * COLUMN_ITEMS.
//
// A masked weight is 0, and 0 * NaN would be NaN: where a tile masks anything, slices of values are searched for what is not
// finite on their way, and if there is any the slice goes the slow way, which leaves out what is masked.
//
// So that sums do not drift, however many keys there are, each tile is summed by itself, and after every foldedTiles tiles O and
// l join running totals: in memory, since registers are full, of which each work-item reads and writes its own elements.

#include "common/key_range.clh"
#include "common/log_sum_exp.clh"
#include "common/sub_group.clh"
#include "fused/block_table.clh"
#include "fused/tile_options.clh"
#include "fused/tile_output.clh"
#include "fused/tile_products.clh"
#include "fused/tile_shape.clh"
#include "fused/tile_slices.clh"
#include "fused/tile_softmax.clh"

// Written out, because not all compilers unroll a loop with barriers in it, and scores would be in memory then.
//
// Stages a slice of weights and values, loads the next one, of this pass or the first of the next, or else of the next tile of
// keys, and adds the products.
#define VALUE_SLICE(pass, first)                                                                                       \
    store_weights(scores, first, rowItem, columnItem, weightStaging);                                                  \
    store_values(carriedValues, item, valueStaging);                                                                   \
    if (masked && carries_not_finite(carriedValues)) {                                                                 \
        atomic_max(&lastNotFinite, firstKey + first);                                                                  \
    }                                                                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                      \
    if (first + SLICE_KEYS < MICRO_KEYS) {                                                                             \
        load_values(carriedValues, item, values, firstKey, end, first + SLICE_KEYS, (pass) * 4 * VALUE_PITCH,          \
                    call.valueDim);                                                                                    \
    } else if (pass + 1 < DIM_PASSES) {                                                                                \
        load_values(carriedValues, item, values, firstKey, end, 0, (pass + 1) * 4 * VALUE_PITCH, call.valueDim);       \
    } else if (NEXT_KEY < end) {                                                                                       \
        load_queries(carriedQueries, item, query, queryRows, 0, call.headDim);                                         \
        load_keys(carriedKeys, item, keys, NEXT_KEY, end, 0, call.headDim);                                            \
    }                                                                                                                  \
    if (lastNotFinite == firstKey + first) {                                                                           \
        add_products_of_attended(added, weightStaging + rowItem, valueStaging + columnItem);                           \
    } else {                                                                                                           \
        add_products(added, PASS_DIMS / 4, weightStaging + rowItem, WEIGHT_PITCH, valueStaging + columnItem,           \
                     VALUE_PITCH, KEY_SLICE);                                                                          \
    }                                                                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);

#if MICRO_KEYS / SLICE_KEYS == 1
#define VALUE_SLICES(pass) VALUE_SLICE(pass, 0)
#elif MICRO_KEYS / SLICE_KEYS == 2
#define VALUE_SLICES(pass) VALUE_SLICE(pass, 0) VALUE_SLICE(pass, SLICE_KEYS)
#elif MICRO_KEYS / SLICE_KEYS == 4
#define VALUE_SLICES(pass)                                                                                             \
    VALUE_SLICE(pass, 0) VALUE_SLICE(pass, SLICE_KEYS) VALUE_SLICE(pass, 2 * SLICE_KEYS) VALUE_SLICE(pass, 3 * SLICE_KEYS)
#else
#define VALUE_SLICES(pass)                                                                                             \
    _Pragma("unroll") for (int first = 0; first < MICRO_KEYS; first += SLICE_KEYS) { VALUE_SLICE(pass, first) }
#endif

// The outputs of a part of the dims.
#define DIM_PASS(pass)                                                                                                 \
    {                                                                                                                  \
        float4 added[PASS_DIMS][ROW_VECTORS];                                                                          \
        clear(added);                                                                                                  \
        VALUE_SLICES(pass)                                                                                             \
        rescale_and_add(outputs + (pass) * PASS_DIMS, added, rowItem, rowRescale);                                     \
    }

// The next tile of keys is the first that any row attends to by the table; tiles that are skipped count for the totals, so that they
// change no bit. Without OPTIONS no register is spent on it.
#ifdef OPTIONS
#define FIRST_KEY nextKey
#define NEXT_KEY nextKey
#define BLOCK_TABLE , BLOCK_TABLE_PARAMETERS
#define SEEN_OF_TILE(key)                                                                                              \
    (blockPitch > 0 ? seen_of_keys(blockRow, TILE_KEYS, key, min(TILE_KEYS, end - (key))) : SOME_SEEN | SOME_UNSEEN)
#define SKIP_HIDDEN(key)                                                                                               \
    while (key < end && (SEEN_OF_TILE(key) & SOME_SEEN) == 0) {                                                        \
        key += TILE_KEYS;                                                                                              \
    }
#else
#define FIRST_KEY begin
#define NEXT_KEY (firstKey + TILE_KEYS)
#define BLOCK_TABLE
#endif

SUB_GROUP __kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void forward_tiles(
    FORWARD_PARAMETERS, __global float *partialOutput, __global float2 *partialSums, int splits, int splitKeys,
    int wideOutput,
    __global float4 *totals, int foldedTiles BLOCK_TABLE) {
    __local float4 staging[STAGING_VECTORS];
    __local float4 rowMaximum[TILE_ROWS / 4];
    __local float4 rowShift[TILE_ROWS / 4];
    __local float4 rowRescale[TILE_ROWS / 4];
    __local int4 rowBegin[TILE_ROWS / 4];
    __local int4 rowEnd[TILE_ROWS / 4];
    __local long queryRows[TILE_ROWS];
    // The last slice of values that are not all finite.
    __local int lastNotFinite;
#ifdef OPTIONS
    __local int4 rowPosition[TILE_ROWS / 4];
    __local float4 rowSlope[TILE_ROWS / 4];
    __local long maskRows[TILE_ROWS];
    __local long biasRows[TILE_ROWS];
#endif
#ifdef EXPRESSIONS
    __local int4 rowHead[TILE_ROWS / 4];
    __local int4 rowQuery[TILE_ROWS / 4];
#endif

    const int halvings = weight_halvings(call.keys);
    const int item = get_local_id(0);
    const int rowItem = row_item(item);
    const int columnItem = column_item(item);

    // Units of one key/value head are neighbours: what one reads, the next finds in a cache.
    const int unitsOfGroup = call.group / call.unitHeads;
    const int tiles = (call.unitHeads * call.queries + TILE_ROWS - 1) / TILE_ROWS;
    long place = get_group_id(0);
    const int unit = place % unitsOfGroup;
    place /= unitsOfGroup;
    // Of causal problems the last tiles are the longest: they go first.
    const int firstRow = (tiles - 1 - (int)(place % tiles)) * TILE_ROWS;
    place /= tiles;
    const int split = place % splits;
    place /= splits;
    const int keyValueHead = place % (call.queryHeads / call.group);
    const int batch = place / (call.queryHeads / call.group);
    const int firstHead = keyValueHead * call.group + unit * call.unitHeads;
    const int rowsHere = min(TILE_ROWS, call.unitHeads * call.queries - firstRow);
    const KeyRows keys = KEY_ROWS(key, call, batch, keyValueHead);
    const ValueRows values = VALUE_ROWS(value, call, batch, keyValueHead);
#ifdef EXPRESSIONS
    const Variables variables = {batch, firstHead, keyValueHead, rowHead, rowQuery, rowPosition, numbers};
#endif

    // Rows beyond the last repeat it, and are not stored.
    for (int row = item; row < TILE_ROWS; row += GROUP_ITEMS) {
        const int unitRow = firstRow + min(row, rowsHere - 1);
        const int head = firstHead + unitRow / call.queries;
        const int queryRow = unitRow % call.queries;
        const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
        ((__local int *)rowBegin)[row] = range.begin;
        ((__local int *)rowEnd)[row] = range.end;
        queryRows[row] = row_at(&call.query, batch, head, queryRow);
        // A sink is a first key with a value of 0.
        ((__local float *)rowMaximum)[row] =
            (call.options & HAS_SINKS) != 0 && split == 0 ? sinks[head] : -INFINITY;
#ifdef OPTIONS
        ((__local int *)rowPosition)[row] = range.position;
        ((__local float *)rowSlope)[row] =
            call.options & HAS_ALIBI ? alibiSlopes[range.sequence * call.slopeStride + head] : 0.0f;
        maskRows[row] = scores_at(&call.mask, batch, head, queryRow);
        biasRows[row] = scores_at(&call.bias, batch, head, queryRow);
#endif
#ifdef EXPRESSIONS
        ((__local int *)rowHead)[row] = head;
        ((__local int *)rowQuery)[row] = queryRow;
#endif
    }
    if (item == 0) {
        lastNotFinite = -1;
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    // Keys that any row attends to are visited, those that all rows attend to are not tested.
    int4 seenBegin = rowBegin[0];
    int4 seenEnd = rowEnd[0];
    int4 commonBegin = rowBegin[0];
    int4 commonEnd = rowEnd[0];
    for (int n = 1; n < TILE_ROWS / 4; n++) {
        seenBegin = min(seenBegin, rowBegin[n]);
        seenEnd = max(seenEnd, rowEnd[n]);
        commonBegin = max(commonBegin, rowBegin[n]);
        commonEnd = min(commonEnd, rowEnd[n]);
    }
    const int cleanBegin = max(max(commonBegin.x, commonBegin.y), max(commonBegin.z, commonBegin.w));
    const int cleanEnd = min(min(commonEnd.x, commonEnd.y), min(commonEnd.z, commonEnd.w));
    int begin = min(min(seenBegin.x, seenBegin.y), min(seenBegin.z, seenBegin.w));
    int end = max(max(seenEnd.x, seenEnd.y), max(seenEnd.z, seenEnd.w));
#ifdef DROPOUT
    begin &= ~3; // where keys begin that share random words
#endif
    if (splitKeys > 0) {
        begin = max(begin, split * splitKeys);
        end = min(end, (split + 1) * splitKeys);
    } else {
        // Each split takes its share of the key tiles of this tile of rows.
        const int keyTiles = (max(end - begin, 0) + TILE_KEYS - 1) / TILE_KEYS;
        const int share = (keyTiles + splits - 1) / splits * TILE_KEYS;
        begin += split * share;
        end = min(end, begin + share);
    }

    float4 outputs[MICRO_DIMS][ROW_VECTORS];
    float4 sums[ROW_VECTORS];
#pragma unroll
    for (int r = 0; r < ROW_VECTORS; r++) {
        const float4 sink = rowMaximum[r * ROW_ITEMS + rowItem];
        sums[r] = select((float4)(columnItem == 0 ? as_float((127 - halvings) << 23) : 0.0f), (float4)(0.0f), sink == -INFINITY);
#pragma unroll
        for (int n = 0; n < MICRO_DIMS; n++) {
            outputs[n][r] = (float4)(0.0f);
        }
    }

    __local float4 *const queryStaging = staging;
    __local float4 *const keyStaging = staging + DIM_SLICE * QUERY_PITCH;
    __local float4 *const weightStaging = staging;
    __local float4 *const valueStaging = staging + KEY_SLICE * WEIGHT_PITCH;
    CARRIED_QUERY carriedQueries[QUERY_LOADS];
    CARRIED_KEY carriedKeys[KEY_LOADS];
    CARRIED_VALUE carriedValues[VALUE_LOADS];
    totals += (long)get_group_id(0) * TOTAL_VECTORS * GROUP_ITEMS + item;
#ifdef OPTIONS
    __global const uchar *blockRow = BLOCKS_OF_TILE(batch, keyValueHead * unitsOfGroup + unit, firstRow / TILE_ROWS);
    int nextKey = begin;
    SKIP_HIDDEN(nextKey)
    int tilesSummed = (nextKey - begin) / TILE_KEYS % foldedTiles; // since they joined the totals
#else
    int tilesSummed = 0;
#endif
    bool folded = false;
    if (FIRST_KEY < end) {
        load_queries(carriedQueries, item, query, queryRows, 0, call.headDim);
        load_keys(carriedKeys, item, keys, FIRST_KEY, end, 0, call.headDim);
    }
    for (int firstKey = FIRST_KEY; firstKey < end; firstKey = NEXT_KEY) {
#ifdef OPTIONS
        nextKey += TILE_KEYS;
        SKIP_HIDDEN(nextKey)
#endif
        float4 scores[MICRO_KEYS][ROW_VECTORS];
#pragma unroll
        for (int n = 0; n < MICRO_KEYS; n++) {
#pragma unroll
            for (int r = 0; r < ROW_VECTORS; r++) {
                scores[n][r] = (float4)(0.0f);
            }
        }
        for (int firstDim = 0; firstDim < call.headDim; firstDim += DIM_SLICE) {
            store_queries(carriedQueries, item, queryStaging);
            store_keys(carriedKeys, item, keyStaging);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (firstDim + DIM_SLICE < call.headDim) {
                load_queries(carriedQueries, item, query, queryRows, firstDim + DIM_SLICE, call.headDim);
                load_keys(carriedKeys, item, keys, firstKey, end, firstDim + DIM_SLICE, call.headDim);
            } else {
                load_values(carriedValues, item, values, firstKey, end, 0, 0, call.valueDim);
            }
            add_products(scores, MICRO_KEYS / 4, queryStaging + rowItem, QUERY_PITCH, keyStaging + columnItem, KEY_PITCH,
                         DIM_SLICE);
            // Slower work-items may still read this slice when faster ones would write the next.
            barrier(CLK_LOCAL_MEM_FENCE);
        }

        // Scaled after the sum: the products of 16-bit numbers are exact in float.
#pragma unroll
        for (int n = 0; n < MICRO_KEYS; n++) {
#pragma unroll
            for (int r = 0; r < ROW_VECTORS; r++) {
                scores[n][r] *= call.scale;
            }
        }
        bool masked = firstKey < cleanBegin || firstKey + TILE_KEYS > cleanEnd;
#ifdef OPTIONS
        if (call.options & CHANGES_SCORES) {
            change_scores(scores, &call, rowItem, columnItem, firstKey, rowSlope, rowPosition VARIABLES_ARGUMENT);
        }
        if (call.options & HAS_BIAS) {
            add_bias(scores, rowItem, columnItem, firstKey, end, bias, biasRows, call.bias.keyStride);
        }
        const bool hides = (SEEN_OF_TILE(firstKey) & SOME_UNSEEN) != 0;
        if (hides && (call.options & HAS_MASK)) {
            apply_mask(scores, rowItem, columnItem, firstKey, end, mask, maskRows, call.mask.keyStride);
        }
#ifdef MASK_EXPRESSION
        if (hides) {
            apply_expression(scores, rowItem, columnItem, firstKey VARIABLES_ARGUMENT);
        }
#endif
#endif
        if (masked) {
            apply_key_ranges(scores, rowItem, columnItem, firstKey, rowBegin, rowEnd);
        }
#ifdef OPTIONS
        masked = masked || DROPS || (call.options & (HAS_BIAS | HAS_SCORE_EXPRESSION)) != 0 ||
                 (hides && (call.options & (HAS_MASK | HAS_MASK_EXPRESSION)) != 0);
#endif

        store_maxima(scores, rowItem, columnItem, weightStaging);
        barrier(CLK_LOCAL_MEM_FENCE);
        move_maxima(item, weightStaging, (__local float *)rowMaximum, (__local float *)rowShift,
                    (__local float *)rowRescale);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (masked) {
            weigh(scores, sums, rowItem, rowShift, rowRescale, halvings, true);
        } else {
            weigh(scores, sums, rowItem, rowShift, rowRescale, halvings, false);
        }
#ifdef DROPOUT
        drop(scores, rowItem, columnItem, firstKey VARIABLES_ARGUMENT);
#endif
        DIM_PASS(0)
#if DIM_PASSES > 1
        DIM_PASS(1)
#endif
#if DIM_PASSES > 2
        DIM_PASS(2)
        DIM_PASS(3)
#endif
#ifdef OPTIONS
        tilesSummed += (nextKey - firstKey) / TILE_KEYS;
        if (tilesSummed >= foldedTiles) {
            fold(outputs, sums, rowItem, rowMaximum, totals, !folded, false);
            tilesSummed %= foldedTiles;
            folded = true;
        }
#else
        tilesSummed++;
        if (tilesSummed == foldedTiles) {
            fold(outputs, sums, rowItem, rowMaximum, totals, !folded, false);
            tilesSummed = 0;
            folded = true;
        }
#endif
    }
    if (folded) {
        fold(outputs, sums, rowItem, rowMaximum, totals, false, true);
    }

    store_sums(sums, rowItem, columnItem, weightStaging);
    barrier(CLK_LOCAL_MEM_FENCE);
    const long rowsOfAll = get_num_groups(0) / ((long)tiles * splits) * call.unitHeads * call.queries;
    const long firstOutput = ((long)batch * call.queryHeads + firstHead) * call.queries + firstRow;
    for (int row = item; row < TILE_ROWS; row += GROUP_ITEMS) {
        const float sum = sum_of_parts(weightStaging, row);
        ((__local float *)rowShift)[row] = sum == 0.0f ? 0.0f : KEPT_FACTOR(1.0f / sum);
        const float maximum = ((__local float *)rowMaximum)[row];
        if (row < rowsHere && splits > 1) {
            partialSums[split * rowsOfAll + firstOutput + row] = (float2)(maximum, SUM_OF_EXPONENTIALS(sum, halvings));
        } else if (row < rowsHere && (call.options & HAS_LOG_SUM_EXP) != 0) {
            logSumExp[firstOutput + row] = sum == 0.0f ? -INFINITY : LOG_OF_SUM(float, maximum, SUM_OF_EXPONENTIALS(sum, halvings));
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (splits > 1) {
        partialOutput += (split * rowsOfAll + firstOutput) * call.valueDim;
        store_partial_outputs(outputs, rowItem, columnItem, rowShift, partialOutput, rowsHere, call.valueDim);
    } else {
        store_outputs(outputs, rowItem, columnItem, rowShift, output + firstOutput * call.valueDim, rowsHere, call.valueDim,
                      wideOutput != 0);
    }
}
