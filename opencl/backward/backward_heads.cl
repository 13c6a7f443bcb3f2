// Gradients of sinks and of ALiBi slopes: sums over rows.
//
// Arguments and shapes: common/forward_call.clh, of which query, key, value, output and logSumExp are not read, and
//   logSumExps, rests [batch, queryHeads, queries]          from backward_preprocess
//   slopeParts [splits, batch, queryHeads, queries]         from backward_key_value
//   gradient   [queryHeads], or as many as there are slopes float, written
//
// A work-group is one work-item and has one number of the gradient: with ofSinks the sum of e^(sink - L) * rest over the rows of a
// head, else of the parts of a slope over the rows that have it. No local memory.

#include "common/key_range.clh"
#include "common/running_total.clh"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void backward_heads(
    FORWARD_PARAMETERS, __global const float *logSumExps, __global const float *rests,
    __global const float *slopeParts, __global float *gradient, int ofSinks, int splits, int batches) {
    const int head = get_group_id(0) % call.queryHeads;
    const int sequence = get_group_id(0) / call.queryHeads;
    const long rows = (long)batches * call.queryHeads * call.queries;
    float total = 0.0f;
    float lost = 0.0f;
    for (int batch = 0; batch < batches; batch++) {
        for (int i = 0; i < call.queries; i++) {
            const long row = ((long)batch * call.queryHeads + head) * call.queries + i;
            float sum = 0.0f;
            if (ofSinks) {
                const float sink = sinks[head];
                if (sink > -INFINITY && logSumExps[row] > -INFINITY) {
                    sum = exp(sink - logSumExps[row]) * rests[row];
                }
            } else if (call.slopeStride == 0 || key_range(&call, keyRanges, batch, i).sequence == sequence) {
                for (int split = 0; split < splits; split++) {
                    sum += slopeParts[split * rows + row];
                }
            }
            ADD_TO_TOTAL(float, total, lost, 1.0f, sum)
        }
    }
    gradient[get_group_id(0)] = total + lost;
}
