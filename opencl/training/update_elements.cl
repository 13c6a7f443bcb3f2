// Update elements: changes tensors in place, element by element: sums of gradients, the gradient of a gate, and the steps of
// optimizers. Memory-bound.
//
//   target, source, first, second   [count] floats each, from an offset on; of those that an operation does not name nothing is
//                                   read or written
//
// Operations:
//   ADD      target += source
//   SCALE    target *= factor
//   GATE     target is the derivative by a gated element, source the element without its gate, first the gate's logit:
//            second = derivative by the logit, target = derivative by the element without its gate
//   SGD      target is a weight, source its gradient
//   MOMENTUM the same, and first is the running sum of the gradients
//   NESTEROV the same, a step further along that sum
//   ADAM     target is a weight, source its gradient, first and second the running means of the gradient and of its square
//   SQUARES  target[work-item] = the sum of the squares of the work-item's elements of source
//
// A work-item owns `each` neighbouring elements. Work-groups of GROUP_ITEMS work-items.

#ifndef GROUP_ITEMS
#define GROUP_ITEMS 1 // work-items of a work-group
#endif

#define ADD 0
#define SCALE 1
#define GATE 2
#define SGD 3
#define MOMENTUM 4
#define NESTEROV 5
#define ADAM 6
#define SQUARES 7

// The host reads this declaration to find where each number goes.
typedef struct {
    long count;
    long targetOffset;
    long sourceOffset;
    long firstOffset;
    long secondOffset;
    int operation;
    int each;
    float factor;      // of the target, before anything else: 1 - rate * decay for decoupled weight decay
    float weightDecay; // times the weight, added to its gradient
    float rate;        // for Adam divided by the correction of the first mean
    float momentum;
    float keptMean;    // beta 1
    float newMean;     // 1 - beta 1
    float keptSquare;  // beta 2
    float newSquare;   // 1 - beta 2
    float correction;  // the root of the second mean's
    float epsilon;
} UpdateCall;

#define ELEMENTS for (long n = begin; n < end; n++)

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void update_elements(__global float *target,
                                                                                        __global const float *source,
                                                                                        __global float *first,
                                                                                        __global float *second,
                                                                                        UpdateCall call) {
    const long begin = (long)get_global_id(0) * call.each;
    const long end = min(call.count, begin + call.each);
    target += call.targetOffset;
    source += call.sourceOffset;
    first += call.firstOffset;
    second += call.secondOffset;
    if (begin >= end) {
        return;
    }
    if (call.operation == ADD) {
        ELEMENTS {
            target[n] += source[n];
        }
    } else if (call.operation == SCALE) {
        ELEMENTS {
            target[n] *= call.factor;
        }
    } else if (call.operation == GATE) {
        ELEMENTS {
            const float open = 1.0f / (1.0f + exp(-first[n]));
            const float closed = 1.0f / (1.0f + exp(first[n]));
            second[n] = target[n] * source[n] * open * closed;
            target[n] *= open;
        }
    } else if (call.operation == SGD) {
        ELEMENTS {
            const float weight = target[n];
            target[n] = weight - call.rate * (source[n] + call.weightDecay * weight);
        }
    } else if (call.operation == MOMENTUM || call.operation == NESTEROV) {
        ELEMENTS {
            const float weight = target[n];
            const float gradient = source[n] + call.weightDecay * weight;
            const float moved = call.momentum * first[n] + gradient;
            first[n] = moved;
            target[n] = weight - call.rate * (call.operation == NESTEROV ? gradient + call.momentum * moved : moved);
        }
    } else if (call.operation == ADAM) {
        ELEMENTS {
            const float weight = target[n];
            const float gradient = source[n] + call.weightDecay * weight;
            const float mean = call.keptMean * first[n] + call.newMean * gradient;
            const float square = call.keptSquare * second[n] + call.newSquare * (gradient * gradient);
            first[n] = mean;
            second[n] = square;
            target[n] = call.factor * weight - call.rate * (mean / (sqrt(square) / call.correction + call.epsilon));
        }
    } else {
        // Sixteen sums, each of few squares, so that none drifts.
        float16 sums = (float16)(0.0f);
        long n = begin;
        for (; n + 16 <= end; n += 16) {
            const float16 elements = vload16(0, source + n);
            sums += elements * elements;
        }
        float total = 0.0f;
        for (; n < end; n++) {
            total += source[n] * source[n];
        }
        const float8 eighths = sums.lo + sums.hi;
        const float4 quarters = eighths.lo + eighths.hi;
        target[get_global_id(0)] = total + (quarters.x + quarters.y) + (quarters.z + quarters.w);
    }
}
