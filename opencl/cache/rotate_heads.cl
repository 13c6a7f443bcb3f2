// A rotary position embedding turns pairs of a head's elements by angles of their row's position.
//
//   heads     [batch, heads, rows, width]  any strides but 1 along width, stored as STORAGE says
//   turned    [batch, heads, rows, width]  row-major, TURNED_STORAGE
//   cosines   [positions, pairs]           any stride of rows, 1 along pairs; float
//   sines     [positions, pairs]           likewise
//   positions [batch] of first rows, the others following, or with EVERY_ROW [batch, rows]
//
//   one row, 3 pairs, 2 elements that are copied; each pair (x, y) becomes (x cos - y sin, y cos + x sin):
//
//       x0 x1 x2 y0 y1 y2  .  .                x0 y0 x1 y1 x2 y2  .  .   with INTERLEAVED
//
// Each product and sum is rounded to float, as in Java, so that every device gives the same bits.
//
// Work-groups: runs of ROWS_EACH rows of [batch, heads, rows] one after another, so that a step of one row each has few. The
// work-items of a group take neighbouring vectors of a row. No local memory.

#include "common/forward_call.clh"

#pragma OPENCL FP_CONTRACT OFF

#ifndef TURNED_STORAGE
#define TURNED_STORAGE 0
#endif
#ifndef INTERLEAVED
#define INTERLEAVED 0
#endif
#ifndef EVERY_ROW
#define EVERY_ROW 0
#endif
#ifndef GROUP_ITEMS
#define GROUP_ITEMS 1 // work-items of a work-group
#endif
#ifndef ROWS_EACH
#define ROWS_EACH 64 // rows of a work-group
#endif

// The host reads this declaration to find where each number goes.
typedef struct {
    RowStrides heads;
    long cosinesOffset;
    long cosinesStride;
    long sinesOffset;
    long sinesStride;
    long allRows;
    int headCount;
    int rows;
    int width;
    int pairs;
} RotateHeadsCall;

#define TURNED JOIN(stored_, TURNED_STORAGE)
#define store_turned JOIN(store_stored_, TURNED_STORAGE)
#define store_turned_vector JOIN(store_stored_vector_, TURNED_STORAGE)

// The even and the odd lanes of two vectors one after another, and the two vectors of which lanes are the even and odd ones.
// Lane by lane: of swizzles and pairs compilers make shuffles with undefined lanes, at which Oclgrind's check of
// uninitialised reads dies.
float4 even_lanes4(float4 a, float4 b) { return (float4)(a.x, a.z, b.x, b.z); }
float4 odd_lanes4(float4 a, float4 b) { return (float4)(a.y, a.w, b.y, b.w); }
float4 low_pairs4(float4 x, float4 y) { return (float4)(x.x, y.x, x.y, y.y); }
float4 high_pairs4(float4 x, float4 y) { return (float4)(x.z, y.z, x.w, y.w); }

#define WIDER_LANES(half, width)                                                                                       \
    float##width even_lanes##width(float##width a, float##width b) {                                                   \
        return (float##width)(even_lanes##half(a.lo, a.hi), even_lanes##half(b.lo, b.hi));                             \
    }                                                                                                                  \
    float##width odd_lanes##width(float##width a, float##width b) {                                                    \
        return (float##width)(odd_lanes##half(a.lo, a.hi), odd_lanes##half(b.lo, b.hi));                               \
    }                                                                                                                  \
    float##width low_pairs##width(float##width x, float##width y) {                                                    \
        return (float##width)(low_pairs##half(x.lo, y.lo), high_pairs##half(x.lo, y.lo));                              \
    }                                                                                                                  \
    float##width high_pairs##width(float##width x, float##width y) {                                                   \
        return (float##width)(low_pairs##half(x.hi, y.hi), high_pairs##half(x.hi, y.hi));                              \
    }
WIDER_LANES(4, 8)
WIDER_LANES(8, 16)

// The places of a pair's elements in a row, and the loads and stores of a vector of pairs from pair i on.
#if INTERLEAVED
#define X_AT(i, pairs) (2 * (i))
#define Y_AT(i, pairs) (2 * (i) + 1)
#define LOAD_PAIRS(from, i, pairs, x, y)                                                                               \
    const VECTOR low = load_stored_vector(from, 2 * (i));                                                              \
    const VECTOR high = load_stored_vector(from, 2 * (i) + VECTOR_WIDTH);                                              \
    const VECTOR x = JOIN(even_lanes, VECTOR_WIDTH)(low, high);                                                        \
    const VECTOR y = JOIN(odd_lanes, VECTOR_WIDTH)(low, high);
#define STORE_PAIRS(x, y, to, i, pairs)                                                                                \
    store_turned_vector(JOIN(low_pairs, VECTOR_WIDTH)(x, y), to, 2 * (i));                                             \
    store_turned_vector(JOIN(high_pairs, VECTOR_WIDTH)(x, y), to, 2 * (i) + VECTOR_WIDTH);
#else
#define X_AT(i, pairs) (i)
#define Y_AT(i, pairs) ((pairs) + (i))
#define LOAD_PAIRS(from, i, pairs, x, y)                                                                               \
    const VECTOR x = load_stored_vector(from, i);                                                                      \
    const VECTOR y = load_stored_vector(from, (pairs) + (i));
#define STORE_PAIRS(x, y, to, i, pairs)                                                                                \
    store_turned_vector(x, to, i);                                                                                     \
    store_turned_vector(y, to, (pairs) + (i));
#endif

void turn_row(
    __global const STORED *from, __global TURNED *to, __global const float *cosines, __global const float *sines,
    int pairs, int width) {
    for (int i = get_local_id(0) * VECTOR_WIDTH; i < pairs; i += GROUP_ITEMS * VECTOR_WIDTH) {
        if (i + VECTOR_WIDTH <= pairs) {
            const VECTOR c = LOAD_VECTOR(cosines + i);
            const VECTOR s = LOAD_VECTOR(sines + i);
            LOAD_PAIRS(from, i, pairs, x, y)
            const VECTOR turnedX = x * c - y * s;
            const VECTOR turnedY = y * c + x * s;
            STORE_PAIRS(turnedX, turnedY, to, i, pairs)
        } else {
            for (int n = i; n < pairs; n++) {
                const float x = load_stored(from, X_AT(n, pairs));
                const float y = load_stored(from, Y_AT(n, pairs));
                store_turned(x * cosines[n] - y * sines[n], to, X_AT(n, pairs));
                store_turned(y * cosines[n] + x * sines[n], to, Y_AT(n, pairs));
            }
        }
    }
    for (int d = 2 * pairs + get_local_id(0) * VECTOR_WIDTH; d < width; d += GROUP_ITEMS * VECTOR_WIDTH) {
        if (d + VECTOR_WIDTH <= width) {
            store_turned_vector(load_stored_vector(from, d), to, d);
        } else {
            for (int n = d; n < width; n++) {
                store_turned(load_stored(from, n), to, n);
            }
        }
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void rotate_heads(
    __global const STORED *heads, __global TURNED *turned, __global const float *cosines, __global const float *sines,
    __global const int *positions, const RotateHeadsCall call) {
    const long first = get_group_id(0) * ROWS_EACH;
    const long end = min(first + ROWS_EACH, call.allRows);
    for (long n = first; n < end; n++) {
        const int row = n % call.rows;
        const int head = n / call.rows % call.headCount;
        const int batch = n / call.rows / call.headCount;
#if EVERY_ROW
        const long position = positions[batch * call.rows + row];
#else
        const long position = positions[batch] + row;
#endif
        turn_row(
            heads + row_at(&call.heads, batch, head, row),
            turned + n * call.width,
            cosines + call.cosinesOffset + position * call.cosinesStride,
            sines + call.sinesOffset + position * call.sinesStride, call.pairs, call.width);
    }
}
