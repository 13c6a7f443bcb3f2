// Merge splits: puts together what several work-groups computed of a row's output, each over its own part of the keys.
//
//   partialOutput    [splits, rows, valueDim]   row-major float, normalised: each split's own weights sum to 1
//   partialSums      [splits, rows]             float2: the maximum m of a split's scores, and the sum
//                                               of e^(score - m); a sum of 0 where the split had no key for the row.
//                                               With LOG_SUM_EXPS float: m + the sum's natural logarithm, or -infinity
//   output           [rows, valueDim]           row-major, stored as STORAGE says
//   logSumExp        [rows]                     natural logarithm; written if hasLogSumExp is not 0
//
// rows = batch * queryHeads * queryLength. A split's share of a row is sum * e^(m - the largest m), and the output is the
// mean of the splits' outputs by these shares ("Flash-Decoding for long-context inference", Dao et al., 2023). A call's own
// splits do not leave log-sum-exps, which say the same in one number: where scores are large, rounding it costs digits of the
// share. Sinks are in the sums of split 0 and nowhere else.
//
// The partialOutput of a split without keys may be anything, NaN too: it is skipped, not multiplied by 0. A row
// without keys in any split gives 0 and -infinity. NaN in a sum stays NaN. Shares are divided by their sum before the outputs
// are added up, which may be so large that their sum would be infinite.
//
// One work-item for each VECTOR_WIDTH elements of a row, which adds the splits up in their order: the same bits each time.
// Memory is read once, splits * rows * valueDim floats; the sums three times, from a cache.

#include "common/log_sum_exp.clh"
#include "common/running_total.clh"
#include "common/storage.clh"
#include "common/vector.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 64 // work-items of a work-group
#endif

#ifdef LOG_SUM_EXPS
#define PARTIAL_SUM float
float2 maximum_and_sum(float logSumExp) { return (float2)(logSumExp, logSumExp == -INFINITY ? 0.0f : 1.0f); }
#else
#define PARTIAL_SUM float2
float2 maximum_and_sum(float2 maximumAndSum) { return maximumAndSum; }
#endif

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void merge_splits(
    __global const float *partialOutput, __global const PARTIAL_SUM *partialSums, __global STORED *output,
    __global float *logSumExp, int hasLogSumExp, int splits, long rows, int valueDim) {
    const int vectors = (valueDim + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    const long row = (long)get_global_id(0) / vectors;
    const int firstDim = (int)((long)get_global_id(0) % vectors) * VECTOR_WIDTH;
    const bool whole = firstDim + VECTOR_WIDTH <= valueDim;
    // No barrier follows: work-items beyond the last row may leave.
    if (row >= rows) {
        return;
    }

    float largest = -INFINITY;
    for (int split = 0; split < splits; split++) {
        largest = fmax(largest, maximum_and_sum(partialSums[split * rows + row]).x);
    }
    // No key in any split: nothing below adds to the sums.
    const float shift = largest == -INFINITY ? 0.0f : largest;
    float total = 0.0f;
    float lostTotal = 0.0f;
    for (int split = 0; split < splits; split++) {
        const float2 maximumAndSum = maximum_and_sum(partialSums[split * rows + row]);
        ADD_TO_TOTAL(float, total, lostTotal, 1.0f, maximumAndSum.y * exp(maximumAndSum.x - shift))
    }
    total += lostTotal;
    VECTOR sums = (VECTOR)(0.0f);
    VECTOR lost = (VECTOR)(0.0f);
    float tail[VECTOR_WIDTH];
    for (int split = 0; split < splits; split++) {
        const float2 maximumAndSum = maximum_and_sum(partialSums[split * rows + row]);
        if (maximumAndSum.y == 0.0f) {
            continue;
        }
        // Divided, not multiplied by 1 / total: exactly 1 for the only split that has a key.
        const float share = maximumAndSum.y * exp(maximumAndSum.x - shift) / total;
        __global const float *from = partialOutput + (split * rows + row) * valueDim + firstDim;
        if (whole) {
            ADD_TO_TOTAL(VECTOR, sums, lost, 1.0f, share * LOAD_VECTOR(from))
        } else {
            for (int n = 0; n < VECTOR_WIDTH; n++) {
                tail[n] = firstDim + n < valueDim ? from[n] : 0.0f;
            }
            ADD_TO_TOTAL(VECTOR, sums, lost, 1.0f, share * LOAD_VECTOR(tail))
        }
    }

    STORE_VECTOR(sums + lost, tail);
    for (int n = 0; n < VECTOR_WIDTH && firstDim + n < valueDim; n++) {
        store_stored(tail[n], output, row * valueDim + firstDim + n);
    }
    if (hasLogSumExp != 0 && firstDim == 0) {
        logSumExp[row] = total == 0.0f ? -INFINITY : LOG_OF_SUM(float, shift, total);
    }
}
