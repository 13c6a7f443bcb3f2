package dev.attention4j.opencl.plan;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;

/**
 * A tensor on the device, as kernels are given it.
 *
 * @param offset of the first element, in elements
 * @param strides in elements, one for each of the four axes; 0 along an axis that is broadcast
 */
@SuppressWarnings("ArrayRecordComponent") // Only ever passed on; nobody compares two of them.
public record Operand(ClBuffer buffer, long offset, long[] strides) {
    /** Sets buffer, offset and the strides of all axes but the last, whose stride is 1. */
    public ClKernel.Arguments asRows(ClKernel.Arguments arguments) {
        arguments.buffer(buffer).longInteger(offset);
        for (int axis = 0; axis < 3; axis++) {
            arguments.longInteger(strides[axis]);
        }
        return arguments;
    }
}
