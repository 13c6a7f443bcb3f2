// Unmark, step 5 of the staged plan where weights are wanted and anything masks: the -0 by which softmax marks a masked key's
// weight becomes 0.
//
// Arguments and shapes: common/forward_call.clh, staged/block.clh.
//
// One work-item per weight; a work-group is GROUP_ITEMS neighbouring keys of one row.

#include "staged/block.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 64 // work-items of a work-group
#endif

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void unmark(BLOCK_PARAMETERS) {
    const int column = get_global_id(0);
    if (column < call.keys) {
        __global float *at =
            scores + scoresOffset + ((long)get_global_id(2) * blockQueries + get_global_id(1)) * call.keys + column;
        const float weight = *at;
        *at = weight == 0.0f ? 0.0f : weight;
    }
}
