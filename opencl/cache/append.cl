// Append: new keys and values go to their places in a cache, in the cache's storage.
//
//   newKey   [any batch, heads, rows, headDim]      any strides but 1 along headDim, stored as NEW_KEY_STORAGE says
//   newValue [any batch, heads, rows, valueDim]     likewise, NEW_VALUE_STORAGE
//   key      [any batch, heads, capacity, headDim]  any strides but 1 along headDim, KEY_STORAGE; quantized if newKey is float, or
//            is quantized in the same way
//   value    [any batch, heads, capacity, valueDim] likewise, VALUE_STORAGE
//   copies   [copies] of 5 ints (fromBatch, fromRow, toBatch, toRow, count): row fromRow + n of newKey[fromBatch, head] becomes
//            row toRow + n of key[toBatch, head], for each head and n < count. newKey may be key: no row is read where it is
//            written
//
// Work-groups: (runs of ROWS_EACH rows, heads, copies). The work-items of a group take neighbouring vectors of a row. A width
// of 0 leaves keys or values out. No local memory.

#include "cache/quantize.clh"
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
    long newKeyScales; // of quantized rows, in bytes from the start of the memory
    long newValueScales;
    long keyScales;
    long valueScales;
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

// The work-items of a group take neighbouring groups of 32 elements.
#define QUANTIZE_ROW(width, from, fromStorage, to, scales, toStorage)                                                  \
    for (int d = get_local_id(0) * GROUP; d < (width); d += GROUP_ITEMS * GROUP) {                                     \
        float elements[GROUP];                                                                                         \
        for (int n = 0; n < GROUP; n++) {                                                                              \
            elements[n] = d + n < (width) ? JOIN(load_stored_, fromStorage)(from, d + n) : 0.0f;                       \
        }                                                                                                              \
        JOIN(store_group_, toStorage)(elements, to, (scales) + d / GROUP, d);                                          \
    }

#define COPY_GROUPS(width, from, fromScales, to, scales, storage)                                                      \
    for (int d = get_local_id(0) * GROUP; d < (width); d += GROUP_ITEMS * GROUP) {                                     \
        for (int n = d; n < d + GROUP; n += (storage) == 4 ? 2 : 1) {                                                  \
            *ELEMENT_AT(to, storage, n) = *ELEMENT_AT(from, storage, n);                                               \
        }                                                                                                              \
        (scales)[d / GROUP] = (fromScales)[d / GROUP];                                                                 \
    }

#define SCALES(memory, offset, at) ((__global ushort *)((__global uchar *)(memory) + (offset)) + (at) / GROUP)

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void append(
    __global const JOIN(stored_, NEW_KEY_STORAGE) *newKey, __global const JOIN(stored_, NEW_VALUE_STORAGE) *newValue,
    __global KEY *key, __global VALUE *value, __global const int *copies, const AppendCall call) {
    const int head = get_group_id(1);
    const int4 places = vload4(0, copies + 5 * (long)get_group_id(2));
    const int first = get_group_id(0) * ROWS_EACH;
    const int end = min(first + ROWS_EACH, copies[5 * (long)get_group_id(2) + 4]);
    for (int row = first; row < end; row++) {
        const long newKeyAt = row_at(&call.newKey, places.s0, head, places.s1 + row);
        const long keyAt = row_at(&call.key, places.s2, head, places.s3 + row);
        __global const JOIN(stored_, NEW_KEY_STORAGE) *fromKey = ELEMENT_AT(newKey, NEW_KEY_STORAGE, newKeyAt);
        __global KEY *toKey = ELEMENT_AT(key, KEY_STORAGE, keyAt);
#if KEY_STORAGE < 3
        COPY_ROW(call.headDim, fromKey, NEW_KEY_STORAGE, toKey, KEY_STORAGE)
#elif NEW_KEY_STORAGE < 3
        QUANTIZE_ROW(call.headDim, fromKey, NEW_KEY_STORAGE, toKey, SCALES(key, call.keyScales, keyAt), KEY_STORAGE)
#else
        COPY_GROUPS(call.headDim, fromKey, SCALES(newKey, call.newKeyScales, newKeyAt), toKey,
                    SCALES(key, call.keyScales, keyAt), KEY_STORAGE)
#endif
        const long newValueAt = row_at(&call.newValue, places.s0, head, places.s1 + row);
        const long valueAt = row_at(&call.value, places.s2, head, places.s3 + row);
        __global const JOIN(stored_, NEW_VALUE_STORAGE) *fromValue = ELEMENT_AT(newValue, NEW_VALUE_STORAGE, newValueAt);
        __global VALUE *toValue = ELEMENT_AT(value, VALUE_STORAGE, valueAt);
#if VALUE_STORAGE < 3
        COPY_ROW(call.valueDim, fromValue, NEW_VALUE_STORAGE, toValue, VALUE_STORAGE)
#elif NEW_VALUE_STORAGE < 3
        QUANTIZE_ROW(call.valueDim, fromValue, NEW_VALUE_STORAGE, toValue, SCALES(value, call.valueScales, valueAt),
                     VALUE_STORAGE)
#else
        COPY_GROUPS(call.valueDim, fromValue, SCALES(newValue, call.newValueScales, newValueAt), toValue,
                    SCALES(value, call.valueScales, valueAt), VALUE_STORAGE)
#endif
    }
}
