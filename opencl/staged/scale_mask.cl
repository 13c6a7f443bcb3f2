// Scale and mask, step 2 of the staged plan, in place: S = softcap(scale * S) + bias + ALiBi, and -infinity where a query may
// not attend to a key.
//
//   scores [slices, queries, keys]                                    row-major float
//   mask   bytes, not 0 = attend      | read through strides that are 0 along axes that are broadcast:
//   bias   float, -infinity masks     | batch, head, query, key
//
//   alibiSlopes [queryHeads], or [sequences, queryHeads] with slopeStride = queryHeads
//
// The order is the point: softcap before bias before masks, so that a masked score stays -infinity. What a masked
// element held before (NaN of a poisoned key among it) is written over, not computed with.
//
// One work-item per score; a work-group is GROUP_ITEMS neighbouring keys of one row.

#include "common/key_range.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 64 // work-items of a work-group
#endif

// SOFTCAP, LIMITS_KEYS, KEY_RANGES, MASK, BIAS, ALIBI: defined where the operation has them.

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void scale_mask(
    __global float *scores, long scoresOffset, int firstSlice, int queryHeads, int firstQuery, int queryLength, int queries,
    int keys, float scale, float softcap, __global const int *keyRanges, int offset, int left, int right,
    __global const float *alibiSlopes, int slopeStride, __global const uchar *mask,
    long maskOffset, long maskBatchStride, long maskHeadStride, long maskQueryStride, long maskKeyStride,
    __global const float *bias, long biasOffset, long biasBatchStride, long biasHeadStride, long biasQueryStride,
    long biasKeyStride) {
    const int column = get_global_id(0);
    const int row = get_global_id(1);
    const int slice = firstSlice + get_global_id(2);
    const int batch = slice / queryHeads;
    const int head = slice % queryHeads;
    const int queryRow = firstQuery + row;
    if (column < keys) {
        __global float *at = scores + scoresOffset + ((long)get_global_id(2) * queries + row) * keys + column;
        float score = scale * *at;
#ifdef SOFTCAP
        score = softcap * tanh(score / softcap);
#endif
        bool attend = true;
#ifdef BIAS
        const float addend = bias[biasOffset + batch * biasBatchStride + head * biasHeadStride +
                                  queryRow * biasQueryStride + column * biasKeyStride];
        score += addend;
        attend = addend != -INFINITY;
#endif
        const KeyRange range =
            key_range(keyRanges, KEY_RANGES, batch, queryRow, queryLength, offset, left, right, keys);
#ifdef ALIBI
        score -= alibiSlopes[range.sequence * slopeStride + head] * fabs((float)(range.position - column));
#endif
#ifdef LIMITS_KEYS
        attend = attend && column >= range.begin && column < range.end;
#endif
#ifdef MASK
        attend = attend && mask[maskOffset + batch * maskBatchStride + head * maskHeadStride +
                                queryRow * maskQueryStride + column * maskKeyStride] != 0;
#endif
        *at = attend ? score : -INFINITY;
    }
}
