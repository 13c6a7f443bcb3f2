package dev.attention4j.opencl.runtime;

import dev.attention4j.DeviceException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;

/**
 * Keeps buffers for the next call: allocating device memory takes longer than many a kernel.
 *
 * <p>Sizes are rounded up to one of four steps per power of two, so that calls of similar shapes share. A buffer may be
 * given back as soon as its last command is enqueued: the queue is in order, so whoever gets it next comes later. Not
 * thread-safe: guarded by the engine's lock.
 */
public final class BufferPool implements AutoCloseable {
    private static final long SMALLEST = 256;

    private final DeviceContext context;
    private final long capacity;
    private final long mostIdleBytes;
    private final TreeMap<Long, Deque<ClBuffer>> idle = new TreeMap<>();
    private long idleBytes;
    private long bytes;

    /** Freed, but the device's until the commands before that are done. */
    private long freedBytes;

    private long mostBytes;

    private BooleanSupplier onShortage = () -> false;

    /**
     * An empty pool.
     *
     * @param capacity the most bytes that are allocated at a time, a quarter of them while nobody uses them
     */
    BufferPool(DeviceContext context, long capacity) {
        this.context = context;
        this.capacity = capacity;
        this.mostIdleBytes = capacity / 4;
    }

    /**
     * Sets what is asked where buffers in use leave too little.
     *
     * @param reclaim releases buffers that nobody needs; returns whether there were any
     */
    public void onShortage(BooleanSupplier reclaim) {
        onShortage = reclaim;
    }

    /**
     * Looks for buffers in use that nobody needs; takes a moment.
     *
     * @return whether there were any
     */
    public boolean reclaim() {
        return onShortage.getAsBoolean();
    }

    /**
     * Takes a buffer out, or allocates one; where memory is short, after giving all idle buffers back to the device.
     *
     * @param byteSize at least 1
     * @return with undefined contents
     * @throws DeviceException if it is more than the device allocates at once, or there is no memory left; says how
     *     much was needed and how much there is
     */
    public ClBuffer acquire(long byteSize) {
        if (byteSize > largestAllocation()) {
            throw new DeviceException("a buffer of " + byteSize + " bytes is needed, but of "
                    + context.device().name() + " this engine allocates at most " + largestAllocation()
                    + " bytes at once");
        }
        long rounded = allocatedBytes(byteSize);
        Deque<ClBuffer> free = idle.get(rounded);
        if (free != null && !free.isEmpty()) {
            idleBytes -= rounded;
            return free.pop();
        }
        if (bytesInUse() + byteSize > capacity && reclaim()) {
            return acquire(byteSize);
        }
        if (bytesInUse() + byteSize > capacity) {
            throw outOfMemory(byteSize, null);
        }
        // To the last byte where the next step would be too much.
        long size = bytesInUse() + rounded > capacity ? byteSize : rounded;
        if (bytes + size > capacity) {
            close();
        }
        if (bytes + freedBytes + size > capacity) {
            finish();
        }
        try {
            return allocate(size);
        } catch (ClException e) {
            if (!e.isOutOfMemory()) {
                throw e;
            }
            return allocateOnceMore(byteSize, e);
        }
    }

    private ClBuffer allocateOnceMore(long byteSize, ClException first) {
        if (idleBytes + freedBytes == 0) {
            throw outOfMemory(byteSize, first);
        }
        close();
        finish();
        try {
            return allocate(byteSize);
        } catch (ClException e) {
            throw outOfMemory(byteSize, e);
        }
    }

    /** What commands still use is only given back once they are done. */
    private void finish() {
        context.queue().finish();
        freedBytes = 0;
    }

    private DeviceException outOfMemory(long byteSize, ClException cause) {
        return new DeviceException(
                "a buffer of " + byteSize + " bytes is needed, but of the " + capacity
                        + " bytes that this engine may take of "
                        + context.device().name() + ", which has "
                        + context.device().globalMemoryBytes() + ", " + bytesInUse() + " are in use"
                        + (cause == null ? "" : " and it gives no more: " + cause.getMessage())
                        + advice(),
                cause);
    }

    /**
     * What helps where memory is short.
     *
     * @return to be put behind a message; empty if nothing is in use
     */
    public String advice() {
        return bytesInUse() == 0 ? "" : "; close results and uploaded tensors that are no longer needed";
    }

    private ClBuffer allocate(long byteSize) {
        ClBuffer buffer = ClBuffer.allocate(context, byteSize);
        bytes += byteSize;
        mostBytes = Math.max(mostBytes, bytes);
        return buffer;
    }

    /**
     * How much {@link #acquire} allocates.
     *
     * @param byteSize asked for
     * @return bytes, up to a quarter more
     */
    public long allocatedBytes(long byteSize) {
        return Math.max(byteSize, Math.min(sizeClass(byteSize), largestAllocation()));
    }

    /**
     * The largest buffer.
     *
     * @return bytes: the device's own bound, or all that may be taken
     */
    public long largestAllocation() {
        return Math.min(context.device().largestAllocationBytes(), capacity);
    }

    /**
     * The most that may be allocated at a time.
     *
     * @return bytes
     */
    public long capacity() {
        return capacity;
    }

    /**
     * What is taken out and not put back.
     *
     * @return bytes, as allocated
     */
    public long bytesInUse() {
        return bytes - idleBytes;
    }

    /**
     * The most device memory that was allocated here at a time; what shares the host's memory is not.
     *
     * @return bytes, idle buffers included
     */
    public long mostBytes() {
        return mostBytes;
    }

    /**
     * Puts a buffer back; buffers over the pool's bound are freed.
     *
     * @param buffer from {@link #acquire}
     */
    public void release(ClBuffer buffer) {
        if (idleBytes + buffer.byteSize() > mostIdleBytes) {
            bytes -= buffer.byteSize();
            freedBytes += buffer.byteSize();
            buffer.close();
            return;
        }
        idle.computeIfAbsent(buffer.byteSize(), size -> new ArrayDeque<>()).push(buffer);
        idleBytes += buffer.byteSize();
    }

    /** Frees all idle buffers; the pool can go on. */
    @Override
    public void close() {
        for (Map.Entry<Long, Deque<ClBuffer>> entry : idle.entrySet()) {
            entry.getValue().forEach(ClBuffer::close);
        }
        idle.clear();
        bytes -= idleBytes;
        freedBytes += idleBytes;
        idleBytes = 0;
    }

    static long sizeClass(long byteSize) {
        if (byteSize <= SMALLEST) {
            return SMALLEST;
        }
        long step = Math.max(SMALLEST, Long.highestOneBit(byteSize - 1) / 4);
        return (byteSize + step - 1) / step * step;
    }
}
