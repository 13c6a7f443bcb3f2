// Scale and mask, step 2 of the staged plan, in place: S = expression(softcap(scale * S)) + ALiBi + bias, and -infinity where
// a query may not attend to a key.
//
// Arguments and shapes: common/forward_call.clh, staged/block.clh.
//
// A masked element (perhaps NaN, of a poisoned key) is overwritten, not computed with.
//
// Built for each combination of options (FIXED_OPTIONS): with tests inside, compilers for CPUs make no vectors of neighbouring
// work-items.
//
// One work-item per score; a work-group is GROUP_ITEMS neighbouring keys of one row.

#include "common/key_range.clh"
#include "common/score.clh"
#include "staged/block.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 64 // work-items of a work-group
#endif

#define VARIABLES batch, head, head / call.group, queryRow, column, range.position, numbers

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void scale_mask(BLOCK_PARAMETERS) {
    const int column = get_global_id(0);
    const int row = get_global_id(1);
    const int batch = (firstHead + get_global_id(2)) / call.queryHeads;
    const int head = (firstHead + get_global_id(2)) % call.queryHeads;
    const int queryRow = firstQuery + row;
    if (column < call.keys) {
        __global float *at = scores + scoresOffset + ((long)get_global_id(2) * blockQueries + row) * call.keys + column;
        float score = call.scale * *at;
        const KeyRange range = key_range(&call, keyRanges, batch, queryRow);
        CHANGE_SCORE(float, score, call, score_expression(score, VARIABLES), alibiSlopes[range.sequence * call.slopeStride + head],
                     fabs((float)(range.position - column)))
        if (OPTIONS_OF(call) & HAS_BIAS) {
            const float add = bias[scores_at(&call.bias, batch, head, queryRow) + column * call.bias.keyStride];
            score = BIAS_SCORE(float, score, add);
        }
        if (OPTIONS_OF(call) & HAS_MASK) {
            const uchar attends = mask[scores_at(&call.mask, batch, head, queryRow) + column * call.mask.keyStride];
            score = MASK_SCORE(float, score, attends != 0);
        }
#ifdef MASK_EXPRESSION
        score = MASK_SCORE(float, score, mask_expression(VARIABLES) != 0);
#endif
        if (OPTIONS_OF(call) & LIMITS_KEYS) {
            score = MASK_SCORE(float, score, column >= range.begin && column < range.end);
        }
        *at = score;
    }
}
