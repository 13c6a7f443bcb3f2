package dev.attention4j.opencl;

import dev.attention4j.opencl.runtime.BufferPool;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The device memory that a call needs in addition to tensors already there, buffer by buffer, from a dry run of {@link
 * Transfers}. Memory that the device shares with the host counts too: there it is no less limited.
 */
final class Footprint {
    private record Buffer(String name, long bytes) {}

    private final DeviceContext context;
    private final boolean closesGaps;
    private final List<Buffer> buffers = new ArrayList<>();
    private long total;

    /** Starts with nothing; {@code closesGaps} as for {@link Transfers#rows}. */
    Footprint(DeviceContext context, boolean closesGaps) {
        this.context = context;
        this.closesGaps = closesGaps;
    }

    /** Adds memory that is the host's where the device shares it. */
    void addShareable(String name, long bytes) {
        if (context.sharesHostMemory()) {
            add(name, bytes);
        } else {
            addAllocated(name, bytes);
        }
    }

    void addAllocated(String name, long bytes) {
        add(name, bytes == 0 ? 0 : context.pool().allocatedBytes(bytes));
    }

    private void add(String name, long bytes) {
        if (bytes > 0) {
            buffers.add(new Buffer(name, bytes));
            total += bytes;
        }
    }

    /** Returns whether views on the host that have gaps are copied, for the call to fit. */
    boolean closesGaps() {
        return closesGaps;
    }

    /** Returns whether the device has room for it now. */
    boolean fits() {
        BufferPool pool = context.pool();
        return total <= pool.capacity() - pool.bytesInUse()
                && buffers.stream().allMatch(buffer -> buffer.bytes <= largest(context));
    }

    /** The largest buffer that a call can have: host memory that a copy may need has a bound of its own. */
    private static long largest(DeviceContext context) {
        return Math.min(context.pool().largestAllocation(), Integer.MAX_VALUE);
    }

    /** Returns what is left for scratch, if each scratch buffer may be larger than asked for. */
    long scratchRoom(long leastScratchBytes) {
        BufferPool pool = context.pool();
        long left = pool.capacity() - pool.bytesInUse() - total;
        return Math.min(pool.largestAllocation(), Math.max(leastScratchBytes, left / 5 * 4 - 512));
    }

    /** Says how much is needed and how much there is. */
    String shortage() {
        BufferPool pool = context.pool();
        return "needs " + total + " bytes of device memory ("
                + buffers.stream()
                        .map(buffer -> buffer.name + " " + buffer.bytes)
                        .collect(Collectors.joining(", "))
                + "), but of the " + pool.capacity() + " bytes that this engine may take of "
                + context.device().name() + " " + (pool.capacity() - pool.bytesInUse())
                + " are free, at most " + largest(context) + " for one buffer"
                + pool.advice();
    }
}
