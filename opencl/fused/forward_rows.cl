// Forward rows: attention in one pass over keys and values, for CPU-class devices.
//
// Arguments and shapes: common/forward_call.clh.
//
// A work-group is one work-item and owns ROWS query rows, one in each lane of ROW_VECTORS vectors. Every element of a
// key or value is broadcast and serves ROW_VECTORS multiply-adds; maximum, sum and rescale are lane-wise, so there is no
// horizontal operation anywhere. A unit is one head, unless a head's own queries would not fill the lanes.
//
//                       ROWS query rows, one in each lane
//                  | vector 0  | vector 1  | vector 2  |          ROW_VECTORS = 3
//                  +-----------+-----------+-----------+ --
//   keys of        |  S = K Q^T, then P = e^(S - m)    |  KEY_TILE keys at a time: KEY_TILE x ROW_VECTORS sums
//   a block        |                                   | --
//                  +-----------+-----------+-----------+ --
//   dims of        |  O = O * e^(m - m') + V^T P       |  DIM_TILE dims at a time: DIM_TILE x ROW_VECTORS sums
//   the output     |                                   | --
//                  +-----------+-----------+-----------+
//
// For each block of KEY_BLOCK keys (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018):
//   S[key][row] = K Q^T   in register tiles of KEY_TILE keys x ROW_VECTORS
//   softcap, expressions, bias and masks on S, where the operation has them and, for key ranges, where the block meets the end of one
//   m' = max(m, max S), P = e^(S - m'), l = l * e^(m - m') + sum P
//   O[dim][row] = O * e^(m - m') + V^T P   in register tiles of DIM_TILE dims x ROW_VECTORS; each block is summed from 0
// after every FOLDED_BLOCKS blocks O and l are folded into totals (common/running_total.clh), and at the end O / l. Keys outside
// of every row's key range are not visited; wholly masked rows keep m = -infinity and l = 0 and give 0.
//
// Blocks of keys that mask or mask expression hide from all rows are skipped, and those that they hide from none are not tested.
// Which they are is in a table (fused/block_table.clh), or found here, with the same result: the table is read for masks that stay
// as they are over calls, since finding it takes as long as a head's tests here.
//
// With DROPOUT weights are dropped after they were summed.
//
// Registers for float16 vectors and 4 x 6 tiles: 24 sums, 4 rows, 1 element of 32. Memory of a work-group, in floats:
// (headDim + valueDim + KEY_BLOCK + 11) * ROWS, with 16-bit keys KEY_BLOCK * max(headDim, valueDim) more, and where blocks are
// folded (2 * valueDim + 3) * ROWS more; the host gives it as arguments.
//
// Widths are arguments, not macros: a compiler takes seconds for each variant that it need not build.
//
// A masked weight is 0, and 0 * NaN would be NaN: a block that masks anything looks for values that are not finite first,
// and if it has any takes the slow way, which writes masked weights as -0 and leaves these out. A weight of +0 is that of a key
// which counts, and has underflowed.

#include "common/dropout.clh"
#include "common/exp.clh"
#include "common/key_range.clh"
#include "common/log_sum_exp.clh"
#include "common/multiply_add.clh"
#include "common/prefetch.clh"
#include "common/running_total.clh"
#include "common/score.clh"
#include "common/vector.clh"

#ifndef ROW_VECTORS
#define ROW_VECTORS 3 // vectors of query rows of a work-item
#endif
#ifndef KEY_TILE
#define KEY_TILE 8 // keys of a register tile of scores
#endif
#ifndef DIM_TILE
#define DIM_TILE 8 // dims of a register tile of output
#endif
#ifndef KEY_BLOCK
#define KEY_BLOCK 64 // keys between two rescales, a multiple of KEY_TILE
#endif
#ifndef FOLDED_BLOCKS
#define FOLDED_BLOCKS 64 // blocks that are summed before they are folded into the totals
#endif

#define ROWS (ROW_VECTORS * VECTOR_WIDTH)

#include "fused/block_table.clh"
#include "fused/row_addends.clh"
#include "fused/row_packing.clh"

// Keys and values of 32 bits are broadcast from where they lie. Those of 16, and those in pages, are widened in memory first: all of them, by
// widen_rows, where many work-groups read them, and this kernel is built for float32 ones; else each work-group widens its
// block's keys and, when they are done with, its values. A tile at a time, or in registers, took longer on an AMD EPYC.
#include "common/key_rows.clh"

#define WIDENS_KEYS (KEY_STORAGE != 0 || PAGED)
#define WIDENS_VALUES (VALUE_STORAGE != 0 || PAGED)

#if !WIDENS_KEYS
#define KEY_SPACE __global
#else
#define KEY_SPACE __local
#endif
#if !WIDENS_VALUES
#define VALUE_SPACE __global
#else
#define VALUE_SPACE __local
#endif

#include "fused/row_products.clh"

#define LINE_ELEMENTS (int)(64 / sizeof(STORED)) // of a cache line

void prefetch_row(__global const STORED *row, int dims) {
    for (int d = 0; d < dims; d += LINE_ELEMENTS) {
        PREFETCH(row + d);
    }
}

void prefetch_row_to_write(__global const STORED *row, int dims) {
    for (int d = 0; d < dims; d += LINE_ELEMENTS) {
        PREFETCH_TO_WRITE(row + d);
    }
}

// The variables of expressions: those of row vector r, and with them the arguments for a key. Keys are the inner loop, so that
// what depends on rows alone, a slope or a row of a table, is computed once for a block of keys.
#ifdef ROWS_OF_HEADS
#define HEADS_OF_ROWS(r) const INT_VECTOR headOfRows = LOAD_INT_VECTOR(rowHead + (r) * VECTOR_WIDTH);
#else
#define HEADS_OF_ROWS(r) const int headOfRows = firstHead;
#endif
#ifdef EXPRESSIONS
#define ROW_VARIABLES(r)                                                                                               \
    HEADS_OF_ROWS(r)                                                                                                   \
    const INT_VECTOR queryOfRows = LOAD_INT_VECTOR(rowQuery + (r) * VECTOR_WIDTH);                                     \
    const INT_VECTOR positionOfRows = LOAD_INT_VECTOR(rowPosition + (r) * VECTOR_WIDTH);
#else
#define ROW_VARIABLES(r)
#endif
#define VARIABLES(key) batch, headOfRows, firstHead / call.group, queryOfRows, key, positionOfRows, numbers

// Where the totals of a work-group are: of outputs as outputRows, then of the sums; of both what rounding took from them; and
// the maxima that they are relative to.
#define TOTAL(at) totals[at]
#define LOST(at) totals[(valueDim + 1) * ROW_VECTORS + (at)]
#define TOTAL_MAXIMUM(r) totals[2 * (valueDim + 1) * ROW_VECTORS + (r)]

#ifdef DROPOUT
RANDOM_WORDS(4, 2)
RANDOM_WORDS(8, 4)
RANDOM_WORDS(16, 8)

// Drops weights of row vector r of a block of keys. heads and queries are those of its lanes.
void drop(__local VECTOR *weights, int r, int firstKey, int keysHere, int batch, __local const int *heads,
          __local const int *queries, __global const int *numbers) {
    const UINT_VECTOR headOfRows = AS_UINT_VECTOR(LOAD_INT_VECTOR(heads + r * VECTOR_WIDTH));
    const UINT_VECTOR queryOfRows = AS_UINT_VECTOR(LOAD_INT_VECTOR(queries + r * VECTOR_WIDTH));
    UINT_VECTOR words[4];
    for (int k = 0; k < keysHere; k++) {
        const int key = firstKey + k;
        if (k == 0 || key % 4 == 0) {
            JOIN(random_words, VECTOR_WIDTH)(key / 4, queryOfRows, headOfRows, batch, numbers, words);
        }
        __local VECTOR *at = weights + k * ROW_VECTORS + r;
        *at = DROP_WEIGHT(VECTOR, *at, words[key % 4]);
    }
}
#endif

VECTOR shift_of(VECTOR maximum) { return select(maximum, (VECTOR)(0.0f), maximum == -INFINITY); }

// Outputs and sums go to the totals and begin at 0 again.
void fold(__local VECTOR *outputRows, VECTOR *sums, const VECTOR *maxima, bool first, int valueDim,
          __local VECTOR *totals) {
    for (int r = 0; r < ROW_VECTORS; r++) {
        VECTOR factor = (VECTOR)(0.0f);
        if (first) {
            for (int d = 0; d <= valueDim; d++) {
                TOTAL(d * ROW_VECTORS + r) = (VECTOR)(0.0f);
                LOST(d * ROW_VECTORS + r) = (VECTOR)(0.0f);
            }
        } else {
            factor = exp_softmax(TOTAL_MAXIMUM(r) - shift_of(maxima[r]), 0);
        }
        TOTAL_MAXIMUM(r) = maxima[r];
        for (int d = 0; d < valueDim; d++) {
            const int at = d * ROW_VECTORS + r;
            ADD_TO_TOTAL(VECTOR, TOTAL(at), LOST(at), factor, outputRows[at])
            outputRows[at] = (VECTOR)(0.0f);
        }
        const int at = valueDim * ROW_VECTORS + r;
        ADD_TO_TOTAL(VECTOR, TOTAL(at), LOST(at), factor, sums[r])
        sums[r] = (VECTOR)(0.0f);
    }
}

// What a work-group does: group and groups are its number and their count along the rows. rowTable has 44 bytes a row, and
// 52 with expressions.
ONCE void rows_of_group(FORWARD_PARAMETERS, __local VECTOR *queryRows, __local VECTOR *outputRows,
                        __local VECTOR *scores, __local float *widened, __local VECTOR *totals, __local long *rowTable,
                        BLOCK_TABLE_PARAMETERS, int group, int groups, int unit) {
    __local long *queryAt = rowTable;
    __local long *maskAt = rowTable + ROWS;
    __local long *biasAt = rowTable + 2 * ROWS;
    __local float *rowSlope = (__local float *)(rowTable + 3 * ROWS);
    __local float *rowSink = rowSlope + ROWS;
    __local int *rowBegin = (__local int *)(rowTable + 4 * ROWS);
    __local int *rowEnd = rowBegin + ROWS;
    __local int *rowPosition = rowBegin + 2 * ROWS;
#ifdef EXPRESSIONS
    __local int *rowHead = rowBegin + 3 * ROWS;
    __local int *rowQuery = rowBegin + 4 * ROWS;
#endif

    const int queries = call.queries;
    const int headDim = call.headDim;
    const int valueDim = call.valueDim;
    const int halvings = weight_halvings(call.keys);
    const int units = call.queryHeads / call.unitHeads;
    const int batch = unit / units;
    const int firstHead = unit % units * call.unitHeads;
    // Of causal problems the last blocks are the longest: they go first, so that no processor is left with one at the end.
    const int firstRow = (groups - 1 - group) * ROWS;
    const int rowsHere = min(ROWS, call.unitHeads * queries - firstRow);
    // The rows of a unit are consecutive in the output.
    const long rowsAt = ((long)batch * call.queryHeads + firstHead) * queries + firstRow;
    const KeyRows keys = KEY_ROWS(key, call, batch, firstHead / call.group);
    const ValueRows storedValues = VALUE_ROWS(value, call, batch, firstHead / call.group);

    // Lanes beyond the last row repeat it, and are not stored.
    int blockBegin = call.keys;
    int blockEnd = 0;
    int cleanBegin = 0;
    int cleanEnd = call.keys;
    int head = firstHead + firstRow / queries;
    int queryRow = firstRow % queries;
    for (int lane = 0; lane < ROWS; lane++) {
        queryAt[lane] = row_at(&call.query, batch, head, queryRow);
        const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
        rowBegin[lane] = range.begin;
        rowEnd[lane] = range.end;
        rowPosition[lane] = range.position;
        rowSlope[lane] = call.options & HAS_ALIBI ? alibiSlopes[range.sequence * call.slopeStride + head] : 0.0f;
        maskAt[lane] = scores_at(&call.mask, batch, head, queryRow);
        biasAt[lane] = scores_at(&call.bias, batch, head, queryRow);
#ifdef EXPRESSIONS
        rowHead[lane] = head;
        rowQuery[lane] = queryRow;
#endif
        // A sink is a first key with a value of 0.
        rowSink[lane] = call.options & HAS_SINKS ? sinks[head] : -INFINITY;
        blockBegin = min(blockBegin, rowBegin[lane]);
        blockEnd = max(blockEnd, rowEnd[lane]);
        cleanBegin = max(cleanBegin, rowBegin[lane]);
        cleanEnd = min(cleanEnd, rowEnd[lane]);
        if (lane < rowsHere - 1) {
            queryRow++;
            head += queryRow == queries;
            queryRow = queryRow == queries ? 0 : queryRow;
        }
    }
    pack_queries(query, queryAt, headDim, (__local float *)queryRows);
    for (int n = 0; n < valueDim * ROW_VECTORS; n++) {
        outputRows[n] = (VECTOR)(0.0f);
    }
    VECTOR maxima[ROW_VECTORS];
    VECTOR sums[ROW_VECTORS];
    for (int r = 0; r < ROW_VECTORS; r++) {
        maxima[r] = LOAD_VECTOR(rowSink + r * VECTOR_WIDTH);
        sums[r] = select((VECTOR)(as_float((127 - halvings) << 23)), (VECTOR)(0.0f), maxima[r] == -INFINITY);
    }
    int blocks = 0; // since the last fold
    bool folded = false;

    // What comes from memory after the last key is fetched a few rows with each block of keys: this work-group's output, and
    // the queries of the one that this processor is likely to run next, the rows before these or the last of the next head.
    const int nextRow = firstRow < ROWS ? (groups - 1) * ROWS : firstRow - ROWS;
    __global const STORED *nextQueries = query + row_at(&call.query, batch, firstHead + (firstRow < ROWS), nextRow);
    const int rowsAhead = ROWS * KEY_BLOCK / max(blockEnd - blockBegin, 1) + 1;
    int rowAhead = 0;

    const bool maskAlike = call.options & HAS_MASK ? rows_alike(maskAt) : false;
    __global const uchar *blockRow = BLOCKS_OF_TILE(batch, unit % units, firstRow / ROWS);
    const bool hasBoth = (call.options & HAS_MASK) != 0 && (call.options & HAS_MASK_EXPRESSION) != 0;

    int keysHere;
    for (int firstKey = blockBegin; firstKey < blockEnd; firstKey += keysHere) {
        // Blocks end where the keys that all rows attend to begin and end, so that only few keys are tested row by row.
        const int part = firstKey < cleanBegin && cleanBegin < blockEnd ? cleanBegin
                         : firstKey < cleanEnd                          ? cleanEnd
                                                                        : blockEnd;
        keysHere = min(KEY_BLOCK, part - firstKey);
#ifdef MASK_EXPRESSION
        // Blocks begin at the same keys for all rows.
        keysHere = min(keysHere, KEY_BLOCK - firstKey % KEY_BLOCK);
#endif
        // What the table says of these keys is so; where they are only a part of what it says, or mask and expression are in it
        // together, those that are neither all seen nor all hidden are tested.
        const int seen =
            blockPitch > 0 ? seen_of_keys(blockRow, KEY_BLOCK, firstKey, keysHere) : SOME_SEEN | SOME_UNSEEN;
        if ((seen & SOME_SEEN) == 0) {
            continue;
        }
        const bool tested = (seen & SOME_UNSEEN) != 0 &&
                            (blockPitch == 0 || hasBoth || firstKey % KEY_BLOCK != 0 ||
                             (keysHere < KEY_BLOCK && firstKey + keysHere < call.keys));
#ifdef MASK_EXPRESSION
        bool expressionMasks = (seen & SOME_UNSEEN) != 0;
        if (tested) {
            INT_VECTOR anyAttend = (INT_VECTOR)(0);
            INT_VECTOR allAttend = (INT_VECTOR)(-1);
            // Row vector by row vector, so that what depends on rows alone is read once for all keys.
            for (int r = 0; r < ROW_VECTORS; r++) {
                ROW_VARIABLES(r)
                for (int k = 0; k < keysHere; k++) {
                    const INT_VECTOR attended = mask_expression(VARIABLES(firstKey + k));
                    anyAttend |= attended;
                    allAttend &= attended;
                }
            }
            if (!any(anyAttend)) {
                continue;
            }
            expressionMasks = !all(allAttend);
        }
#endif
        __global const uchar *blockMask = mask + firstKey * call.mask.keyStride;
        const int attends = (call.options & HAS_MASK) == 0 || (seen & SOME_UNSEEN) == 0 ? ATTENDS_ALL
                            : tested ? mask_kind(blockMask, maskAt, maskAlike, call.mask.keyStride, keysHere)
                                     : ATTENDS_SOME;
        if (attends == ATTENDS_NONE) {
            continue;
        }
#if !WIDENS_KEYS
        __global const float *keysStart = keys.elements + key_at(keys, firstKey);
        const long keysStride = keys.rowStride;
#else
        __local const float *keysStart = widened;
        const long keysStride = headDim;
        widen_keys(keys, firstKey, keysHere, headDim, widened);
#endif
        FloatRows values;
#if !WIDENS_VALUES
        values.elements = storedValues.elements + value_at(storedValues, firstKey);
        values.rowStride = storedValues.rowStride;
#else
        values.elements = widened;
        values.rowStride = valueDim;
#endif
        for (int n = 0; n < rowsAhead && rowAhead < rowsHere; n++, rowAhead++) {
            prefetch_row(nextQueries + rowAhead * call.query.rowStride, headDim);
            prefetch_row_to_write(output + (rowsAt + rowAhead) * valueDim, valueDim);
        }
        for (int k = 0; k < keysHere; k += KEY_TILE) {
            score_tile(keysStart, keysStride, k, keysHere, headDim, call.scale, queryRows, scores);
        }

        if (call.options & CHANGES_SCORES) {
            for (int r = 0; r < ROW_VECTORS; r++) {
                ROW_VARIABLES(r)
                // From the block's first key: as floats, positions beyond 2^24 would be rounded.
                const INT_VECTOR position = LOAD_INT_VECTOR(rowPosition + r * VECTOR_WIDTH) - firstKey;
                const VECTOR fromFirst = JOIN(convert_float, VECTOR_WIDTH)(position);
                const VECTOR slope = LOAD_VECTOR(rowSlope + r * VECTOR_WIDTH);
                for (int k = 0; k < keysHere; k++) {
                    VECTOR score = scores[k * ROW_VECTORS + r];
                    CHANGE_SCORE(VECTOR, score, call, score_expression(score, VARIABLES(firstKey + k)), slope,
                                 fabs(fromFirst - (float)k))
                    scores[k * ROW_VECTORS + r] = score;
                }
            }
        }
        if (call.options & HAS_BIAS) {
            apply_bias(bias + firstKey * call.bias.keyStride, biasAt, call.bias.keyStride, keysHere,
                       (__local float *)scores);
        }
        if (attends == ATTENDS_SOME) {
            apply_mask(blockMask, maskAt, maskAlike, call.mask.keyStride, keysHere, (__local float *)scores);
        }
        bool masked = DROPS || attends == ATTENDS_SOME || (call.options & (HAS_BIAS | HAS_SCORE_EXPRESSION)) != 0;
#ifdef MASK_EXPRESSION
        if (expressionMasks) {
            masked = true;
            for (int r = 0; r < ROW_VECTORS; r++) {
                ROW_VARIABLES(r)
                for (int k = 0; k < keysHere; k++) {
                    const INT_VECTOR attended = mask_expression(VARIABLES(firstKey + k));
                    scores[k * ROW_VECTORS + r] = MASK_SCORE(VECTOR, scores[k * ROW_VECTORS + r], attended);
                }
            }
        }
#endif
        if (firstKey < cleanBegin || firstKey + keysHere > cleanEnd) {
            masked = true;
            for (int k = 0; k < keysHere; k++) {
                for (int r = 0; r < ROW_VECTORS; r++) {
                    const INT_VECTOR attended = LOAD_INT_VECTOR(rowBegin + r * VECTOR_WIDTH) <= firstKey + k &&
                                                LOAD_INT_VECTOR(rowEnd + r * VECTOR_WIDTH) > firstKey + k;
                    scores[k * ROW_VECTORS + r] = MASK_SCORE(VECTOR, scores[k * ROW_VECTORS + r], attended);
                }
            }
        }

        // Even and odd keys apart: two short chains of comparisons instead of a long one.
        VECTOR blockMax[2][ROW_VECTORS];
#pragma unroll
        for (int r = 0; r < ROW_VECTORS; r++) {
            blockMax[0][r] = maxima[r];
            blockMax[1][r] = maxima[r];
        }
        for (int k = 0; k + 1 < keysHere; k += 2) {
#pragma unroll
            for (int r = 0; r < ROW_VECTORS; r++) {
                blockMax[0][r] = LARGER(scores[k * ROW_VECTORS + r], blockMax[0][r]);
                blockMax[1][r] = LARGER(scores[(k + 1) * ROW_VECTORS + r], blockMax[1][r]);
            }
        }
        VECTOR shift[ROW_VECTORS];
        VECTOR rescale[ROW_VECTORS];
#pragma unroll
        for (int r = 0; r < ROW_VECTORS; r++) {
            VECTOR newMax = LARGER(blockMax[0][r], blockMax[1][r]);
            newMax = LARGER(scores[(keysHere - 1) * ROW_VECTORS + r], newMax);
            // A row that has attended to no key yet: -infinity - 0 instead of NaN.
            shift[r] = shift_of(newMax);
            rescale[r] = exp_softmax(maxima[r] - shift[r], 0);
            maxima[r] = newMax;
        }
#if WIDENS_VALUES
        widen_values(storedValues, firstKey, keysHere, valueDim, widened);
#endif
        const bool marks = masked && any_not_finite(values, 0, keysHere, valueDim);
#pragma unroll
        for (int r = 0; r < ROW_VECTORS; r++) {
            const VECTOR blockSum = weigh(scores, r, keysHere, shift[r], halvings, marks);
            sums[r] = MULTIPLY_ADD(sums[r], rescale[r], blockSum);
#ifdef DROPOUT
            drop(scores, r, firstKey, keysHere, batch, rowHead, rowQuery, numbers);
#endif
        }

        if (marks) {
            for (int d = 0; d < valueDim; d++) {
                for (int r = 0; r < ROW_VECTORS; r++) {
                    VECTOR sum = (VECTOR)(0.0f);
                    for (int k = 0; k < keysHere; k++) {
                        const VECTOR weight = scores[k * ROW_VECTORS + r];
                        const VECTOR with = MULTIPLY_ADD((VECTOR)(values.elements[k * values.rowStride + d]), weight, sum);
                        sum = select(with, sum, AS_INT_VECTOR(weight) == INT_MIN);
                    }
                    __local VECTOR *to = outputRows + d * ROW_VECTORS + r;
                    *to = MULTIPLY_ADD(*to, rescale[r], sum);
                }
            }
        } else {
            int d = 0;
            for (; d + DIM_TILE <= valueDim; d += DIM_TILE) {
                OUTPUT_TILE(DIM_TILE, d)
            }
#if DIM_TILE > 2
            for (; d + 2 <= valueDim; d += 2) {
                OUTPUT_TILE(2, d)
            }
#endif
            for (; d < valueDim; d++) {
                OUTPUT_TILE(1, d)
            }
        }
        blocks++;
        if (blocks == FOLDED_BLOCKS) {
            fold(outputRows, sums, maxima, !folded, valueDim, totals);
            blocks = 0;
            folded = true;
        }
    }
    if (folded) {
        for (int r = 0; r < ROW_VECTORS; r++) {
            const VECTOR factor = exp_softmax(TOTAL_MAXIMUM(r) - shift_of(maxima[r]), 0);
            for (int d = 0; d < valueDim; d++) {
                const int at = d * ROW_VECTORS + r;
                outputRows[at] = MULTIPLY_ADD(TOTAL(at), factor, MULTIPLY_ADD(LOST(at), factor, outputRows[at]));
            }
            const int at = valueDim * ROW_VECTORS + r;
            sums[r] = MULTIPLY_ADD(TOTAL(at), factor, MULTIPLY_ADD(LOST(at), factor, sums[r]));
        }
    }

    __local float *lanes = (__local float *)scores;
    for (int r = 0; r < ROW_VECTORS; r++) {
        const VECTOR factor = select(KEPT_FACTOR(1.0f / sums[r]), (VECTOR)(0.0f), sums[r] == 0.0f);
        for (int d = 0; d < valueDim; d++) {
            outputRows[d * ROW_VECTORS + r] *= factor;
        }
        scores[r] = select(LOG_OF_SUM(VECTOR, maxima[r], SUM_OF_EXPONENTIALS(sums[r], halvings)), (VECTOR)(-INFINITY),
                           sums[r] == 0.0f);
    }
    unpack_output((__local float *)outputRows, rowsHere, valueDim, output + rowsAt * valueDim);
    for (int lane = 0; lane < rowsHere && (call.options & HAS_LOG_SUM_EXP) != 0; lane++) {
        logSumExp[rowsAt + lane] = lanes[lane];
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void forward_rows(
    FORWARD_PARAMETERS, __local VECTOR *queryRows, __local VECTOR *outputRows,
    __local VECTOR *scores, __local float *widened, __local VECTOR *totals, __local long *rowTable,
    BLOCK_TABLE_PARAMETERS) {
    rows_of_group(FORWARD_ARGUMENTS, queryRows, outputRows, scores, widened, totals, rowTable,
                  BLOCK_TABLE_ARGUMENTS, get_group_id(0), get_num_groups(0), get_group_id(1));
}
