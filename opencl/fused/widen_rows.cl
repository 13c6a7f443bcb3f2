// Widens keys or values that are not float32, or lie in pages, to floats, once for all query rows that read them. forward_rows
// would do it for each of its work-groups by itself. Exact, so that results have the same bits either way.
//
// Arguments and shapes: common/forward_call.clh, and
//   to [batch, keyValueHeads, keys, width]  float, row-major; width is valueDim if ofValues is not 0, else headDim
//
// A work-group is one work-item and takes rowsEach rows of one head: work-groups (runs of rows, heads, batch). No local memory.

#include "common/vector.clh"
#define WIDENED_SPACE __global
#include "common/widen.clh"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void widen_rows(
    FORWARD_PARAMETERS, __global float *to, int ofValues, int rowsEach) {
    const int head = get_group_id(1);
    const int batch = get_group_id(2);
    const int first = get_group_id(0) * rowsEach;
    const int rows = min(rowsEach, call.keys - first);
    const int width = ofValues ? call.valueDim : call.headDim;
    to += (((long)batch * get_num_groups(1) + head) * call.keys + first) * width;
    if (ofValues) {
        const ValueRows values = VALUE_ROWS(value, call, batch, head);
        widen_values(values, first, rows, width, to);
    } else {
        const KeyRows keys = KEY_ROWS(key, call, batch, head);
        widen_keys(keys, first, rows, width, to);
    }
}
