// The last step of the gradients of queries: sums the parts that work-groups of backward_key_value left.
//
//   queryParts    [splits, rows, padded headDim]  float; the width is padded to whole vectors
//   queryGradient [rows, headDim]                 float, written
//
// A work-group is one work-item and takes rowsEach rows. No local memory. The order of a sum is that of the splits.

#include "common/vector.clh"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_query(
    __global const VECTOR *queryParts, __global float *queryGradient, int splits, long rows, int headDim,
    int rowsEach) {
    const int vectors = (headDim + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    const long first = (long)get_group_id(0) * rowsEach;
    for (long row = first; row < min(first + rowsEach, rows); row++) {
        __global float *to = queryGradient + row * headDim;
        for (int v = 0; v < vectors; v++) {
            VECTOR sum = queryParts[row * vectors + v];
            for (int split = 1; split < splits; split++) {
                sum += queryParts[(split * rows + row) * vectors + v];
            }
            if ((v + 1) * VECTOR_WIDTH <= headDim) {
                STORE_VECTOR(sum, to + v * VECTOR_WIDTH);
            } else {
                float lanes[VECTOR_WIDTH];
                STORE_VECTOR(sum, lanes);
                for (int n = 0; v * VECTOR_WIDTH + n < headDim; n++) {
                    to[v * VECTOR_WIDTH + n] = lanes[n];
                }
            }
        }
    }
}
