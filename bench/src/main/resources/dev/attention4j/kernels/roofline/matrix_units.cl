// NVIDIA's matrix units and asynchronous copies, reached from OpenCL C by inline assembly: whether the driver's compiler
// takes the instructions and computes right with them, and how fast the matrix units are. One sub-group of 32 for probe,
// four for rate.
//
//   probe  out [16 * 8] for matrix products: out[m * 8 + n] = m % DEPTH * 8 + n + 1, the product of [16, DEPTH] with a one at
//          column m % DEPTH of row m, and [DEPTH, 8] of the numbers from 1 on
//          out [128] for moves: out[n] = n + 1
//   rate   out [work-items]; steps * CHAINS independent products of 16 x 8 x DEPTH each, 2 * 16 * 8 * DEPTH operations
//
// Fragments: PTX ISA, "Matrix fragments for mma.m16n8k16" and "for mma.m16n8k8" with .tf32. Local and global pointers go
// into the instructions as they are: the compiler's address spaces are PTX's.

#ifndef INSTRUCTION
#define INSTRUCTION 0 // 0 mma of float16, 1 of bfloat16, 2 of tf32, 3 ldmatrix, 4 cp.async
#endif

// NVIDIA's compiler knows asm; plain clang, which can check this file, only __asm__.
#ifndef ASM
#define ASM asm
#endif

#define CHAINS 8

#if INSTRUCTION == 2
#define DEPTH 8
#define MMA "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
#elif INSTRUCTION == 1
#define DEPTH 16
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#else
#define DEPTH 16
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#endif

// Tied operands: with others an unrolled chain has been seen to read sums of before.
#define MULTIPLY(c, a, b)                                                                                              \
    ASM volatile(MMA " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                \
                 : "+f"(c.x), "+f"(c.y), "+f"(c.z), "+f"(c.w)                                                          \
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y))

static uint bits(float number) {
#if INSTRUCTION == 1
    return as_uint(number) >> 16;
#else
    ushort half_;
    vstore_half(number, 0, (__private half *)&half_);
    return half_;
#endif
}

static float left(int row, int column) {
    return row % DEPTH == column ? 1.0f : 0.0f;
}

static float right(int row, int column) {
    return row * 8 + column + 1;
}

#if INSTRUCTION == 2
#define LEFT(row, k) as_uint(left((row), (k)))
#define RIGHT(k, column) as_uint(right((k), (column)))
#define K_OF(thread, part) ((thread) + 4 * (part))
#else
#define LEFT(row, k) (bits(left((row), (k))) | bits(left((row), (k) + 1)) << 16)
#define RIGHT(k, column) (bits(right((k), (column))) | bits(right((k) + 1, (column))) << 16)
#define K_OF(thread, part) (2 * (thread) + 8 * (part))
#endif

__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void probe(__global float *out) {
    const int lane = get_local_id(0);
#if INSTRUCTION <= 2
    const int group = lane / 4;
    const int thread = lane % 4;
    const uint4 a = (uint4)(LEFT(group, K_OF(thread, 0)), LEFT(group + 8, K_OF(thread, 0)), LEFT(group, K_OF(thread, 1)),
                            LEFT(group + 8, K_OF(thread, 1)));
    const uint2 b = (uint2)(RIGHT(K_OF(thread, 0), group), RIGHT(K_OF(thread, 1), group));
    float4 sums = (float4)(0.0f);
    MULTIPLY(sums, a, b);
    out[group * 8 + 2 * thread] = sums.x;
    out[group * 8 + 2 * thread + 1] = sums.y;
    out[(group + 8) * 8 + 2 * thread] = sums.z;
    out[(group + 8) * 8 + 2 * thread + 1] = sums.w;
#elif INSTRUCTION == 3
    __local float words[128] __attribute__((aligned(16))); // as rows of 16 bytes must be
    for (int n = lane; n < 128; n += 32) {
        words[n] = n + 1;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    // Four matrices of 8 rows of 16 bytes: lane l names row l % 8 of matrix l / 8 and gets the word at l of each.
    uint4 parts;
    ASM volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(parts.x), "=r"(parts.y), "=r"(parts.z), "=r"(parts.w)
                 : "l"(words + 4 * lane));
    out[lane] = as_float(parts.x);
    out[lane + 32] = as_float(parts.y);
    out[lane + 64] = as_float(parts.z);
    out[lane + 96] = as_float(parts.w);
#else
    __local float words[128] __attribute__((aligned(16))); // as rows of 16 bytes must be
    for (int n = lane; n < 128; n += 32) {
        out[n] = n + 1;
        words[n] = -1.0f;
    }
    barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE);
    ASM volatile("cp.async.cg.shared.global [%0], [%1], 16;\n\t"
                 "cp.async.commit_group;\n\t"
                 "cp.async.wait_group 0;"
                 :
                 : "l"(words + 4 * lane), "l"(out + 4 * lane)
                 : "memory");
    barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE);
    for (int n = lane; n < 128; n += 32) {
        out[n] = words[n];
    }
#endif
}

#if INSTRUCTION <= 2
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void rate(__global float *out, int steps) {
    const uint number = get_global_id(0);
    const uint4 a = (uint4)(number, number + 1, number + 2, number + 3);
    const uint2 b = (uint2)(number, number + 1);
    float4 sums[CHAINS];
#pragma unroll
    for (int n = 0; n < CHAINS; n++) {
        sums[n] = (float4)(0.0f);
    }
    for (int step = 0; step < steps; step++) {
#pragma unroll
        for (int n = 0; n < CHAINS; n++) {
            MULTIPLY(sums[n], a, b);
        }
    }
    float4 all = (float4)(0.0f);
#pragma unroll
    for (int n = 0; n < CHAINS; n++) {
        all += sums[n];
    }
    out[number] = all.x + all.y + all.z + all.w;
}
#endif
