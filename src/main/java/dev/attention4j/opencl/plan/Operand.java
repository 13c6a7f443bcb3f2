package dev.attention4j.opencl.plan;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.StructLayout;
import java.util.List;

/**
 * A tensor on the device, as kernels are given it.
 *
 * @param offset of the first element, in elements
 * @param strides in elements, one for each of the four axes; 0 along an axis that is broadcast
 * @param scales of a quantized tensor, in bytes from the start of the buffer; 0 for another
 */
@SuppressWarnings("ArrayRecordComponent") // Only passed on; two of them are never compared.
public record Operand(ClBuffer buffer, long offset, long[] strides, long scales) {
    /** Takes a tensor without scales. */
    public Operand(ClBuffer buffer, long offset, long... strides) {
        this(buffer, offset, strides, 0);
    }

    /** Returns the names of a struct's offset and strides of rows, {@code RowStrides} in the kernels. */
    public static List<String> rows(String name) {
        return List.of(name + ".offset", name + ".batchStride", name + ".headStride", name + ".rowStride");
    }

    /** Sets a struct's offset and strides, as many as there are names; zeros for an operand that is null. */
    public static void put(StructLayout.Values values, List<String> names, Operand operand) {
        values.put(names.get(0), operand == null ? 0 : operand.offset());
        for (int n = 1; n < names.size(); n++) {
            values.put(names.get(n), operand == null ? 0 : operand.strides()[n - 1]);
        }
    }

    /** Returns whether the elements of this shape are one after another from the buffer's start. */
    public boolean isRowMajor(long... shape) {
        long stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] > 1 && strides[axis] != stride) {
                return false;
            }
            stride *= shape[axis];
        }
        return offset == 0;
    }
}
