// What a device can do at most: multiply-adds in registers, and a copy and a read of large buffers.
//
//   multiply_add  out [work-items] vectors; each work-item runs CHAINS independent chains of multiply-adds, so that the
//                 next can start before the last is done; 2 * WIDTH * CHAINS * steps floating-point operations each
//   copy          out [i] = in [i], vectors
//   read          out [work-item] = the sum of what it read of in, vectors
//
// Work-items: a CPU's work-item walks a run of neighbouring vectors (CHUNKED 1), a GPU's strides over the whole buffer,
// so that neighbours in a work-group read neighbouring vectors (CHUNKED 0). No local memory.

#include "common/multiply_add.clh"

#ifndef WIDTH
#define WIDTH 1 // floats of a vector: 1, 4, 8 or 16
#endif
#ifndef CHAINS
#define CHAINS 8 // independent chains: 4, 8 or 12
#endif
#ifndef CHUNKED
#define CHUNKED 0 // 1: each work-item owns one run of vectors
#endif

#define PASTE(a, b) a##b
#define VECTOR_OF(width) PASTE(float, width)
#if WIDTH == 1
typedef float vector;
#else
typedef VECTOR_OF(WIDTH) vector;
#endif

#define START(n) vector c##n = (vector)(start + n)
#define STEP(n) c##n = MULTIPLY_ADD(c##n, factor, addend)

__kernel void multiply_add(__global vector *out, const float a, const float b, const int steps) {
    const float start = (float)get_global_id(0);
    const vector factor = (vector)(a);
    const vector addend = (vector)(b);
    START(0); START(1); START(2); START(3);
#if CHAINS >= 8
    START(4); START(5); START(6); START(7);
#endif
#if CHAINS >= 12
    START(8); START(9); START(10); START(11);
#endif
    for (int step = 0; step < steps; step++) {
        STEP(0); STEP(1); STEP(2); STEP(3);
#if CHAINS >= 8
        STEP(4); STEP(5); STEP(6); STEP(7);
#endif
#if CHAINS >= 12
        STEP(8); STEP(9); STEP(10); STEP(11);
#endif
    }
    vector sum = c0 + c1 + c2 + c3;
#if CHAINS >= 8
    sum += c4 + c5 + c6 + c7;
#endif
#if CHAINS >= 12
    sum += c8 + c9 + c10 + c11;
#endif
    out[get_global_id(0)] = sum;
}

#if CHUNKED
#define FIRST (get_global_id(0) * (size_t)each)
#define APART 1
#else
#define FIRST get_global_id(0)
#define APART get_global_size(0)
#endif

__kernel void copy(__global const vector *in, __global vector *out, const int each) {
    size_t at = FIRST;
    for (int n = 0; n < each; n++, at += APART) {
        out[at] = in[at];
    }
}

__kernel void read(__global const vector *in, __global vector *out, const int each) {
    size_t at = FIRST;
    vector even = (vector)(0.0f);
    vector odd = (vector)(0.0f);
    for (int n = 0; n < each; n += 2) {
        even += in[at];
        odd += in[at + APART];
        at += 2 * APART;
    }
    out[get_global_id(0)] = even + odd;
}
