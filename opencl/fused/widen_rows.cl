// Widens keys or values of 16 bits to floats, once for all query rows that read them: what forward_rows would do for each of its
// work-groups by itself. Exact, so that results have the same bits either way.
//
//   from [batch, heads, rows, width]  any strides but 1 along width
//   to   [batch, heads, rows, width]  float, row-major
//
// A work-group is one work-item and takes rowsEach rows of one head: work-groups (runs of rows, heads, batch). No local memory.

#include "common/vector.clh"
#define WIDENED_SPACE __global
#include "common/widen.clh"

DEFINE_WIDEN(widen, STORAGE)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void widen_rows(
    __global const STORED *from, long offset, long batchStride, long headStride, long rowStride, __global float *to,
    int rows, int rowsEach, int width) {
    const long head = get_group_id(1);
    const long batch = get_group_id(2);
    const int first = get_group_id(0) * rowsEach;
    from += offset + batch * batchStride + head * headStride + first * rowStride;
    to += ((batch * get_num_groups(1) + head) * rows + first) * width;
    widen(from, rowStride, min(rowsEach, rows - first), width, to);
}
