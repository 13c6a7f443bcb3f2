// The first step of the gradients: brings what the others read of each query row into floats, one row after another.
//
//   output            [batch, heads, queries, valueDim]  any strides but 1 along valueDim, as the forward pass stored it
//   outputGradient    [batch, heads, queries, valueDim]  likewise, of its own storage GRADIENT_STORAGE
//   logSumExp         [batch, heads, queries]            any strides
//   logSumExpGradient [batch, heads, queries]            likewise; with hasLogSumExpGradient only
// and writes
//   gradientRows [batch, heads, queries, valueDim]       the output's gradient as floats
//   logSumExps   [batch, heads, queries]
//   rests        [batch, heads, queries]                 the log-sum-exp's gradient - output . its gradient
//
// A work-group is one work-item and takes rowsEach rows of all. No local memory.

#include "common/forward_call.clh"

#ifndef GRADIENT_STORAGE
#define GRADIENT_STORAGE 0 // of outputGradient, see common/storage.clh
#endif
#define GRADIENT JOIN(stored_, GRADIENT_STORAGE)
#define load_gradient JOIN(load_stored_, GRADIENT_STORAGE)
#define load_gradient_vector JOIN(load_stored_vector_, GRADIENT_STORAGE)

typedef struct {
    RowStrides output;
    RowStrides outputGradient;
    RowStrides logSumExp;
    RowStrides logSumExpGradient;
    int heads;
    int queries;
    int valueDim;
    int hasLogSumExpGradient;
    int rows;
    int rowsEach;
} PreprocessCall;

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_preprocess(
    __global const STORED *output, __global const GRADIENT *outputGradient, __global const float *logSumExp,
    __global const float *logSumExpGradient, __global float *gradientRows, __global float *logSumExps,
    __global float *rests, const PreprocessCall call) {
    const int valueDim = call.valueDim;
    const int first = get_group_id(0) * call.rowsEach;
    for (int row = first; row < min(first + call.rowsEach, call.rows); row++) {
        const int query = row % call.queries;
        const int head = row / call.queries % call.heads;
        const int batch = row / call.queries / call.heads;
        const long outputAt = row_at(&call.output, batch, head, query);
        const long gradientAt = row_at(&call.outputGradient, batch, head, query);
        __global float *to = gradientRows + (long)row * valueDim;
        VECTOR sums = (VECTOR)(0.0f);
        int d = 0;
        for (; d + VECTOR_WIDTH <= valueDim; d += VECTOR_WIDTH) {
            const VECTOR gradient = load_gradient_vector(outputGradient, gradientAt + d);
            STORE_VECTOR(gradient, to + d);
            sums += gradient * load_stored_vector(output, outputAt + d);
        }
        float sum = SUM_LANES(sums);
        for (; d < valueDim; d++) {
            const float gradient = load_gradient(outputGradient, gradientAt + d);
            to[d] = gradient;
            sum += gradient * load_stored(output, outputAt + d);
        }
        logSumExps[row] = logSumExp[row_at(&call.logSumExp, batch, head, query)];
        rests[row] = (call.hasLogSumExpGradient
                          ? logSumExpGradient[row_at(&call.logSumExpGradient, batch, head, query)]
                          : 0.0f) -
                     sum;
    }
}
