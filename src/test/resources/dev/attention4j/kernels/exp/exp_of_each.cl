// 2^-halvings e^x of each number, for ExpKernelTest.

#include "common/exp.clh"

__kernel void exp_of_each(__global const float *x, __global float *result, int halvings) {
    const size_t at = get_global_id(0) * VECTOR_WIDTH;
    STORE_VECTOR(exp_softmax(LOAD_VECTOR(x + at), halvings), result + at);
}
