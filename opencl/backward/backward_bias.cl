// The gradient of a bias: those of the scores, summed over the axes along which the bias is repeated. Weights are computed again, so
// that no memory but the gradient's own is needed, and no two work-groups add to one number.
//
// Arguments and shapes: common/forward_call.clh, of which output and logSumExp are not read, and
//   gradientRows [batch, queryHeads, queries, valueDim]  | from backward_preprocess
//   logSumExps, rests [batch, queryHeads, queries]       |
//   gradient   of the bias's shape, float, row-major, written through strides that are 0 along repeated axes
//   memory     BLOCK_VECTORS vectors and 2 * LANE_VECTORS(QUERY_BLOCK) more for the totals and what rounding took from them
//
// A work-group is one work-item. Along each axis it has one part of the gradient, or all of an axis that is repeated, and visits
// whatever reads its part: work-groups (tiles of keys, blocks of queries, batch * heads), of repeated axes 1.

#include "backward/backward_block.clh"
#include "common/running_total.clh"

typedef struct {
    long batchStride;
    long headStride;
    long queryStride;
    long keyStride;
    int batches;
    int biasHeads; // 1 or the heads
} BiasStrides;

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_bias(
    FORWARD_PARAMETERS, __global const float *gradientRows, __global const float *logSumExps,
    __global const float *rests, __global float *gradient, const BiasStrides strides, __local VECTOR *memory) {
    const BackwardBlock block = block_in(memory, call.headDim, call.valueDim);
    __local VECTOR *totals = memory + BLOCK_VECTORS(call.headDim, call.valueDim);
    __local VECTOR *lost = totals + LANE_VECTORS(QUERY_BLOCK);
    const int ownBatch = get_group_id(2) / strides.biasHeads;
    const int ownHead = get_group_id(2) % strides.biasHeads;
    const int ownQuery = get_group_id(1) * QUERY_BLOCK;
    const int ownKey = get_group_id(0) * KEYS;
    const int endBatch = strides.batchStride ? ownBatch + 1 : strides.batches;
    const int endHead = strides.headStride ? ownHead + 1 : call.queryHeads;
    const int endQuery = strides.queryStride ? min(ownQuery + QUERY_BLOCK, call.queries) : call.queries;
    const int endKey = strides.keyStride ? min(ownKey + KEYS, call.keys) : call.keys;
    for (int n = 0; n < 2 * LANE_VECTORS(QUERY_BLOCK); n++) {
        totals[n] = (VECTOR)(0.0f); // and what is lost after them
    }
    for (int firstKey = ownKey; firstKey < endKey; firstKey += KEYS) {
        const int keysHere = min(KEYS, call.keys - firstKey);
        for (int batch = ownBatch; batch < endBatch; batch++) {
            for (int head = ownHead; head < endHead; head++) {
                if (head == ownHead || head % call.group == 0) {
                    const KeyRows keys = KEY_ROWS(key, call, batch, head / call.group);
                    const ValueRows values = VALUE_ROWS(value, call, batch, head / call.group);
                    read_tile(&block, keys, values, firstKey, keysHere, call.headDim, call.valueDim);
                }
                for (int firstQuery = ownQuery; firstQuery < endQuery; firstQuery += QUERY_BLOCK) {
                    const int queries = min(QUERY_BLOCK, call.queries - firstQuery);
                    bool masks = false;
                    if (!compute_block(&block, query, gradientRows, logSumExps, rests, keyRanges, alibiSlopes, mask, bias,
                                       &call, batch, head, firstQuery, queries, firstKey, keysHere, true, 0,
                                       &masks EXPRESSION_ARGUMENTS)) {
                        continue;
                    }
                    // Of repeated queries the block's sum, else each query's own.
                    for (int r = 0; r < KEY_VECTORS; r++) {
                        VECTOR sum = (VECTOR)(0.0f);
                        for (int i = 0; i < queries; i++) {
                            sum += block.gradients[i * KEY_VECTORS + r];
                            if (strides.queryStride || i == queries - 1) {
                                const int at = (strides.queryStride ? i : 0) * KEY_VECTORS + r;
                                ADD_TO_TOTAL(VECTOR, totals[at], lost[at], 1.0f, sum)
                                sum = (VECTOR)(0.0f);
                            }
                        }
                    }
                }
            }
        }
    }
    const int rowsHere = strides.queryStride ? endQuery - ownQuery : 1;
    const int lanesHere = endKey - ownKey;
    for (int i = 0; i < rowsHere; i++) {
        __global float *to = gradient + ownBatch * strides.batchStride + ownHead * strides.headStride +
                             (ownQuery + i) * strides.queryStride + ownKey * strides.keyStride;
        VECTOR all = (VECTOR)(0.0f);
        for (int r = 0; r < KEY_VECTORS; r++) {
            const VECTOR sum = totals[i * KEY_VECTORS + r] + lost[i * KEY_VECTORS + r];
            all += sum;
            float numbers[VECTOR_WIDTH];
            STORE_VECTOR(sum, numbers);
            for (int n = 0; strides.keyStride && n < VECTOR_WIDTH && r * VECTOR_WIDTH + n < lanesHere; n++) {
                to[(r * VECTOR_WIDTH + n) * strides.keyStride] = numbers[n];
            }
        }
        if (!strides.keyStride) {
            to[0] = SUM_LANES(all);
        }
    }
}
