// The first step of the gradients: brings what the others read of each query row into floats, one row after another, where it is
// not there already.
//
//   query             [batch, heads, queries, headDim]   any strides but 1 along headDim; with queryDim only
//   output            [batch, heads, queries, valueDim]  any strides but 1 along valueDim, as the forward pass stored it
//   outputGradient    [batch, heads, queries, valueDim]  likewise, of its own storage GRADIENT_STORAGE
//   logSumExp         [batch, heads, queries]            any strides
//   logSumExpGradient [batch, heads, queries]            likewise; with hasLogSumExpGradient only
// and writes
//   queryRows    [batch, heads, queries, headDim]        the query as floats; with queryDim only
//   gradientRows [batch, heads, queries, valueDim]       the output's gradient as floats; with copiesGradient only
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
    RowStrides query;
    RowStrides output;
    RowStrides outputGradient;
    RowStrides logSumExp;
    RowStrides logSumExpGradient;
    int heads;
    int queries;
    int queryDim; // headDim; 0 if the query is not copied
    int valueDim;
    int copiesGradient;
    int hasLogSumExpGradient;
    int rows;
    int rowsEach;
} PreprocessCall;

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_preprocess(
    __global const STORED *query, __global const STORED *output, __global const GRADIENT *outputGradient, __global const float *logSumExp,
    __global const float *logSumExpGradient, __global float *queryRows, __global float *gradientRows,
    __global float *logSumExps, __global float *rests, const PreprocessCall call) {
    const int valueDim = call.valueDim;
    const int first = get_group_id(0) * call.rowsEach;
    for (int row = first; row < min(first + call.rowsEach, call.rows); row++) {
        const int i = row % call.queries;
        const int head = row / call.queries % call.heads;
        const int batch = row / call.queries / call.heads;
        const long outputAt = row_at(&call.output, batch, head, i);
        const long gradientAt = row_at(&call.outputGradient, batch, head, i);
        VECTOR sums = (VECTOR)(0.0f);
        int d = 0;
        for (; d + VECTOR_WIDTH <= valueDim; d += VECTOR_WIDTH) {
            const VECTOR gradient = load_gradient_vector(outputGradient, gradientAt + d);
            sums += gradient * load_stored_vector(output, outputAt + d);
            if (call.copiesGradient) {
                STORE_VECTOR(gradient, gradientRows + (long)row * valueDim + d);
            }
        }
        float sum = SUM_LANES(sums);
        for (; d < valueDim; d++) {
            const float gradient = load_gradient(outputGradient, gradientAt + d);
            sum += gradient * load_stored(output, outputAt + d);
            if (call.copiesGradient) {
                gradientRows[(long)row * valueDim + d] = gradient;
            }
        }
        const long queryAt = row_at(&call.query, batch, head, i);
        __global float *to = queryRows + (long)row * call.queryDim;
        d = 0;
        for (; d + VECTOR_WIDTH <= call.queryDim; d += VECTOR_WIDTH) {
            STORE_VECTOR(load_stored_vector(query, queryAt + d), to + d);
        }
        for (; d < call.queryDim; d++) {
            to[d] = load_stored(query, queryAt + d);
        }
        logSumExps[row] = logSumExp[row_at(&call.logSumExp, batch, head, i)];
        rests[row] = (call.hasLogSumExpGradient
                          ? logSumExpGradient[row_at(&call.logSumExpGradient, batch, head, i)]
                          : 0.0f) -
                     sum;
    }
}
