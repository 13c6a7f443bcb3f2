// Append: new keys and values go to their places in a cache, in the cache's storage.
//
//   newKey   [batch, heads, rows, headDim]      any strides but 1 along headDim, stored as NEW_KEY_STORAGE says
//   newValue [batch, heads, rows, valueDim]     likewise, NEW_VALUE_STORAGE
//   key      [batch, heads, capacity, headDim]  any strides but 1 along headDim, KEY_STORAGE
//   value    [batch, heads, capacity, valueDim] likewise, VALUE_STORAGE
//   places   [batch] of (position, count): row n of newKey becomes row position + n of key, for n < count
//
// Work-groups: (runs of ROWS_EACH rows, heads, batch). The work-items of a group take neighbouring vectors of a row. A width
// of 0 leaves keys or values out. No local memory.

#include "common/key_rows.clh"

#ifndef NEW_KEY_STORAGE
#define NEW_KEY_STORAGE 0
#endif
#ifndef NEW_VALUE_STORAGE
#define NEW_VALUE_STORAGE 0
#endif
#ifndef GROUP_ITEMS
#define GROUP_ITEMS 1 // work-items of a work-group
#endif
#ifndef ROWS_EACH
#define ROWS_EACH 64 // rows of a work-group
#endif

// The host reads this declaration to find where each number goes.
typedef struct {
    RowStrides newKey;
    RowStrides newValue;
    RowStrides key;
    RowStrides value;
    int headDim;
    int valueDim;
} AppendCall;

#define COPY_ROW(width, from, fromStorage, to, toStorage)                                                              \
    for (int d = get_local_id(0) * VECTOR_WIDTH; d < (width); d += GROUP_ITEMS * VECTOR_WIDTH) {                       \
        if (d + VECTOR_WIDTH <= (width)) {                                                                             \
            const VECTOR elements = JOIN(load_stored_vector_, fromStorage)(from, d);                                   \
            JOIN(store_stored_vector_, toStorage)(elements, to, d);                                                    \
        } else {                                                                                                       \
            for (int n = d; n < (width); n++) {                                                                        \
                JOIN(store_stored_, toStorage)(JOIN(load_stored_, fromStorage)(from, n), to, n);                       \
            }                                                                                                          \
        }                                                                                                              \
    }

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void append(
    __global const JOIN(stored_, NEW_KEY_STORAGE) *newKey, __global const JOIN(stored_, NEW_VALUE_STORAGE) *newValue,
    __global KEY *key, __global VALUE *value, __global const int2 *places, const AppendCall call) {
    const int head = get_group_id(1);
    const int batch = get_group_id(2);
    const int position = places[batch].x;
    const int first = get_group_id(0) * ROWS_EACH;
    const int end = min(first + ROWS_EACH, places[batch].y);
    for (int row = first; row < end; row++) {
        __global const JOIN(stored_, NEW_KEY_STORAGE) *fromKey = newKey + row_at(&call.newKey, batch, head, row);
        __global KEY *toKey = key + row_at(&call.key, batch, head, position + row);
        COPY_ROW(call.headDim, fromKey, NEW_KEY_STORAGE, toKey, KEY_STORAGE)
        __global const JOIN(stored_, NEW_VALUE_STORAGE) *fromValue = newValue + row_at(&call.newValue, batch, head, row);
        __global VALUE *toValue = value + row_at(&call.value, batch, head, position + row);
        COPY_ROW(call.valueDim, fromValue, NEW_VALUE_STORAGE, toValue, VALUE_STORAGE)
    }
}
