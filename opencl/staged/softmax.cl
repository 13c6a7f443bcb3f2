// Softmax, step 3 of the staged plan, in place: each row of scores becomes weights that sum to 1.
//
// Arguments and shapes: common/forward_call.clh, staged/block.clh. A sink is a logit that joins the sum and has no weight
// of its own.
//
// weight = exp(score - max) / sum, the maximum taken out so that exp stays within range. A row whose maximum is
// -infinity has no key to attend to: weights 0, log-sum-exp -infinity. NaN in a score makes the whole row NaN: fmax
// passes over it, the sum does not. A masked key's weight is -0, which tells weighted_sum that it is not the weight of an
// attended key which has underflowed.
//
// Every SUMMED_VECTORS vectors are summed by themselves before they join the total (common/running_total.clh).
//
// One work-group of GROUP_ITEMS per row; each work-item takes every GROUP_ITEMS-th vector. Maximum and sum are reduced
// by a tree in local memory, GROUP_ITEMS floats. On a CPU GROUP_ITEMS is 1 and the vectors do the work.

#include "common/running_total.clh"
#include "common/vector.clh"
#include "staged/block.clh"

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 128 // work-items of a row, a power of two
#endif
#ifndef SUMMED_VECTORS
#define SUMMED_VECTORS 64 // vectors of weights that are summed one after another
#endif

float group_max(float mine, __local float *shared) {
    const int item = get_local_id(0);
    shared[item] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = GROUP_ITEMS / 2; half_ > 0; half_ /= 2) {
        if (item < half_) {
            shared[item] = fmax(shared[item], shared[item + half_]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float all = shared[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return all;
}

float group_sum(float mine, __local float *shared) {
    const int item = get_local_id(0);
    shared[item] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = GROUP_ITEMS / 2; half_ > 0; half_ /= 2) {
        if (item < half_) {
            shared[item] += shared[item + half_];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float all = shared[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return all;
}

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void softmax(BLOCK_PARAMETERS) {
    __local float shared[GROUP_ITEMS];
    const int item = get_local_id(0);
    const int row = get_group_id(0);
    const int head = get_group_id(1);
    const float masked = call.options & MASKS_SCORES ? -0.0f : 0.0f;
    __global float *const scoreRow = scores + scoresOffset + ((long)head * blockQueries + row) * call.keys;
    const int vectorKeys = call.keys / VECTOR_WIDTH * VECTOR_WIDTH;

    VECTOR maxima = (VECTOR)(-INFINITY);
    for (int at = item * VECTOR_WIDTH; at < vectorKeys; at += GROUP_ITEMS * VECTOR_WIDTH) {
        maxima = fmax(maxima, LOAD_VECTOR(scoreRow + at));
    }
    float rowMax = MAX_LANES(maxima);
    for (int at = vectorKeys + item; at < call.keys; at += GROUP_ITEMS) {
        rowMax = fmax(rowMax, scoreRow[at]);
    }
    rowMax = group_max(rowMax, shared);
    const float sink = call.options & HAS_SINKS ? sinks[(firstHead + head) % call.queryHeads] : -INFINITY;
    rowMax = fmax(rowMax, sink);

    // exp(-infinity - 0) is 0: a row without a key needs no branch, only a maximum that can be subtracted.
    const float shift = rowMax == -INFINITY ? 0.0f : rowMax;
    VECTOR total = (VECTOR)(0.0f);
    VECTOR lost = (VECTOR)(0.0f);
    for (int at = item * VECTOR_WIDTH; at < vectorKeys;) {
        VECTOR sums = (VECTOR)(0.0f);
        for (int n = 0; n < SUMMED_VECTORS && at < vectorKeys; n++, at += GROUP_ITEMS * VECTOR_WIDTH) {
            const VECTOR score = LOAD_VECTOR(scoreRow + at);
            const VECTOR terms = exp(score - shift);
            STORE_VECTOR(select(terms, (VECTOR)(masked), score == -INFINITY), scoreRow + at);
            sums += terms;
        }
        ADD_TO_TOTAL(VECTOR, total, lost, 1.0f, sums)
    }
    float rowSum = SUM_LANES(total + lost);
    for (int at = vectorKeys + item; at < call.keys; at += GROUP_ITEMS) {
        const float score = scoreRow[at];
        const float term = exp(score - shift);
        scoreRow[at] = score == -INFINITY ? masked : term;
        rowSum += term;
    }
    rowSum = group_sum(rowSum, shared);
    rowSum += exp(sink - shift);

    const float factor = rowSum == 0.0f ? 0.0f : 1.0f / rowSum;
    for (int at = item * VECTOR_WIDTH; at < vectorKeys; at += GROUP_ITEMS * VECTOR_WIDTH) {
        STORE_VECTOR(LOAD_VECTOR(scoreRow + at) * factor, scoreRow + at);
    }
    for (int at = vectorKeys + item; at < call.keys; at += GROUP_ITEMS) {
        scoreRow[at] *= factor;
    }
    if (item == 0 && (call.options & HAS_LOG_SUM_EXP) != 0) {
        logSumExp[(long)(firstHead + head) * call.queries + firstQuery + row] =
            rowSum == 0.0f ? -INFINITY : shift + log(rowSum);
    }
}
