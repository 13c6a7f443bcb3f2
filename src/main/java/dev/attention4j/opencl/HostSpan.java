package dev.attention4j.opencl;

import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What a device must see of a tensor on the host: the bytes from its first element to its last. A view of a large block
 * takes no more of the device than that.
 *
 * @param tensor not empty; the one that was given, or a copy without its gaps
 * @param firstByte in the tensor's memory
 * @param byteSize from there
 */
record HostSpan(Tensor tensor, long firstByte, long byteSize) {
    /** As host memory itself is aligned: what an address is good for does not depend on the view. */
    private static final long ALIGNMENT = 128;

    /**
     * Returns what to give a device: a copy where the gaps of a view would be too much for it.
     *
     * @param closesGaps whether to copy every view that has gaps, because the call as a whole has no room for them
     */
    static HostSpan of(Tensor tensor, DeviceContext context, boolean closesGaps) {
        HostSpan span = asItLies(tensor);
        return span.isCopied(context, closesGaps) ? asItLies(tensor.contiguous()) : span;
    }

    /** Returns how many bytes {@link #of} would give, without copying any. */
    static long byteSize(Tensor tensor, DeviceContext context, boolean closesGaps) {
        HostSpan span = asItLies(tensor);
        return span.isCopied(context, closesGaps) ? tensor.byteSize() : span.byteSize;
    }

    private boolean isCopied(DeviceContext context, boolean closesGaps) {
        return isTooWide(context) || (closesGaps && byteSize > tensor.byteSize() + ALIGNMENT);
    }

    private static HostSpan asItLies(Tensor tensor) {
        long last = tensor.offset();
        for (int axis = 0; axis < tensor.rank(); axis++) {
            last += (tensor.size(axis) - 1) * tensor.strides()[axis];
        }
        int width = tensor.dtype().bytes();
        long first = tensor.offset() * width / ALIGNMENT * ALIGNMENT;
        return new HostSpan(tensor, first, (last + 1) * width - first);
    }

    private boolean isTooWide(DeviceContext context) {
        // Where gaps are copied, they cost more than closing them here.
        return byteSize > context.pool().largestAllocation()
                || (!context.sharesHostMemory() && byteSize > 2 * tensor.byteSize() + ALIGNMENT);
    }

    /** The memory, at its first byte. */
    ByteBuffer bytes() {
        return tensor.memory()
                .toHost()
                .slice(Math.toIntExact(firstByte), Math.toIntExact(byteSize))
                .order(ByteOrder.nativeOrder());
    }

    /** Where in {@link #bytes} the first element lies. */
    long offset() {
        return tensor.offset() - firstByte / tensor.dtype().bytes();
    }
}
