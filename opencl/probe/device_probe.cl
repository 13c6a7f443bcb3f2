// Finds out what a device can do by doing it: one kernel, whose body is chosen by PROBE. The host builds it, runs it on a
// few work-items and believes only the right result; a build that fails is an answer too.
//
//   out [GROUP_ITEMS] floats: out[i] = 2 * i + 1 in each case

#include "common/multiply_add.clh"

#ifndef PROBE
#define PROBE 0 // 0 arithmetic, 1 half arithmetic, 2 double arithmetic, 3 sub-groups, 4 local memory of LOCAL_BYTES
#endif
#ifndef GROUP_ITEMS
#define GROUP_ITEMS 16
#endif
#ifndef LOCAL_BYTES
#define LOCAL_BYTES 1024
#endif

#if PROBE == 1
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#elif PROBE == 2
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#elif PROBE == 3
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void device_probe(__global float *out) {
    const int item = get_local_id(0);
#if PROBE == 0
    out[item] = MULTIPLY_ADD(2.0f, (float)item, 1.0f);
#elif PROBE == 1
    const half two = (half)2.0f;
    out[item] = (float)(two * (half)item + (half)1.0f);
#elif PROBE == 2
    out[item] = (float)(2.0 * item + 1.0);
#elif PROBE == 3
    // Every lane adds 1, so the sum is the size of the sub-group whatever that is.
    const int lanes = sub_group_reduce_add(1);
    out[item] = lanes == get_sub_group_size() ? 2.0f * item + 1.0f : -1.0f;
#elif PROBE == 4
    // Written at both ends by one work-item and read by another, so that it cannot be optimised away.
    __local float memory[LOCAL_BYTES / 4];
    memory[item] = 2.0f * item;
    memory[LOCAL_BYTES / 4 - 1 - item] = 1.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    const int other = GROUP_ITEMS - 1 - item;
    out[other] = memory[other] + memory[LOCAL_BYTES / 4 - 1 - other];
#endif
}
