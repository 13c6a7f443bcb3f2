package dev.attention4j.opencl.runtime;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;

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
    private final long mostIdleBytes;
    private final TreeMap<Long, Deque<ClBuffer>> idle = new TreeMap<>();
    private long idleBytes;
    private long bytes;
    private long mostBytes;

    BufferPool(DeviceContext context, long mostIdleBytes) {
        this.context = context;
        this.mostIdleBytes = mostIdleBytes;
    }

    /**
     * Takes a buffer out, or allocates one; if the device is out of memory, after giving all idle buffers back to it.
     *
     * @param byteSize at least 1
     * @return with undefined contents
     * @throws ClException if the device has no memory left
     */
    public ClBuffer acquire(long byteSize) {
        if (byteSize > context.device().largestAllocationBytes()) {
            throw new dev.attention4j.DeviceException("a buffer of " + byteSize + " bytes is needed, but "
                    + context.device().name() + " allocates at most "
                    + context.device().largestAllocationBytes() + " bytes at once");
        }
        long rounded = Math.min(sizeClass(byteSize), context.device().largestAllocationBytes());
        Deque<ClBuffer> free = idle.get(rounded);
        if (free != null && !free.isEmpty()) {
            idleBytes -= rounded;
            return free.pop();
        }
        try {
            return allocate(rounded);
        } catch (ClException e) {
            if (!e.isOutOfMemory() || idleBytes == 0) {
                throw e;
            }
            close();
            return allocate(rounded);
        }
    }

    private ClBuffer allocate(long byteSize) {
        ClBuffer buffer = ClBuffer.allocate(context, byteSize);
        bytes += byteSize;
        mostBytes = Math.max(mostBytes, bytes);
        return buffer;
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
