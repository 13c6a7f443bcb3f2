package dev.attention4j.opencl.runtime;

import dev.attention4j.DeviceException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;

/**
 * Keeps buffers for the next call: allocating device memory takes longer than many kernels.
 *
 * <p>Sizes are rounded up to one of four steps per power of two, so that calls of similar shapes share buffers. A buffer may be
 * released as soon as its last command is enqueued: the queue is in order, so its next user comes later. Not thread-safe: the
 * engine's lock guards it.
 */
public final class BufferPool implements AutoCloseable {
    private static final long SMALLEST = 256;
    private static final int MOST_KEPT = 16;

    private final DeviceContext context;
    private final long capacity;
    private final long mostIdleBytes;
    private final TreeMap<Long, Deque<ClBuffer>> idle = new TreeMap<>();
    /** Idle buffers by what their contents are, the one that was asked for longest ago first. */
    private final Map<Object, ClBuffer> kept = new LinkedHashMap<>(MOST_KEPT, 0.75f, true);

    private long idleBytes;
    private long bytes;

    /** Bytes that are freed once the commands before are done. */
    private long freedBytes;

    private long mostBytes;

    private BooleanSupplier onShortage = () -> false;

    /** Makes an empty pool of at most {@code capacity} bytes, of which at most a quarter may be idle. */
    BufferPool(DeviceContext context, long capacity) {
        this.context = context;
        this.capacity = capacity;
        this.mostIdleBytes = capacity / 4;
    }

    /** Sets the function that releases unreachable buffers when memory is short; it returns whether there were any. */
    public void onShortage(BooleanSupplier reclaim) {
        onShortage = reclaim;
    }

    /** Releases unreachable buffers, which takes a moment; returns whether there were any. */
    public boolean reclaim() {
        return onShortage.getAsBoolean();
    }

    /**
     * Takes an idle buffer, or allocates one, with undefined contents; where memory is short, it first frees all idle
     * buffers.
     *
     * @throws DeviceException if the device does not allocate as much at once, or has no memory left; says how much is
     *     needed and how much there is
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
        // Not rounded up where that would exceed the capacity.
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

    /** Waits for the queue, since freed buffers are in use until their commands are done. */
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

    /** Returns the end of a message about short memory; empty if no buffer is in use. */
    public String advice() {
        return bytesInUse() == 0 ? "" : "; close results and uploaded tensors that are no longer needed";
    }

    private ClBuffer allocate(long byteSize) {
        ClBuffer buffer = ClBuffer.allocate(context, byteSize);
        bytes += byteSize;
        mostBytes = Math.max(mostBytes, bytes);
        return buffer;
    }

    /** Returns the bytes that {@link #acquire} allocates: up to a quarter more. */
    public long allocatedBytes(long byteSize) {
        return Math.max(byteSize, Math.min(sizeClass(byteSize), largestAllocation()));
    }

    /** The size of the largest buffer: the device's limit or the capacity. */
    public long largestAllocation() {
        return Math.min(context.device().largestAllocationBytes(), capacity);
    }

    /** The most bytes that may be allocated at a time. */
    public long capacity() {
        return capacity;
    }

    /** The allocated bytes that are not idle. */
    public long bytesInUse() {
        return bytes - idleBytes;
    }

    /** The most bytes that were allocated at a time, including idle buffers but not buffers that share the host's memory. */
    public long mostBytes() {
        return mostBytes;
    }

    /** Takes a buffer back; frees it if too many bytes are idle. */
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

    /** Returns whether {@link #keep} would keep a buffer of this size for a while. */
    public boolean keeps(long byteSize) {
        return idleBytes + allocatedBytes(byteSize) <= mostIdleBytes;
    }

    /**
     * Takes a buffer back whose contents may be wanted again: one of the last few, while there is memory.
     *
     * @param contents equal to no others
     */
    public void keep(Object contents, ClBuffer buffer) {
        kept.put(contents, buffer);
        idleBytes += buffer.byteSize();
        if (kept.size() > MOST_KEPT) {
            ClBuffer eldest = kept.remove(kept.keySet().iterator().next());
            idleBytes -= eldest.byteSize();
            release(eldest);
        }
    }

    /** Returns a buffer that was kept, for commands that are enqueued before the next call of this pool; null if there is none. */
    public ClBuffer kept(Object contents) {
        return kept.get(contents);
    }

    /** Frees all idle buffers, and those that it keeps; the pool stays usable. */
    @Override
    public void close() {
        kept.values().forEach(ClBuffer::close);
        kept.clear();
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
