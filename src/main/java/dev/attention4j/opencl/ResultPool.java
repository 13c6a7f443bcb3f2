package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Host memory for results, kept for the next call where a result was closed: new memory is cleared by the system page
 * by page and once more by Java, which takes longer than many an attention.
 *
 * <p>Only memory that nobody can still see is used again: once {@link TensorMemory#toHost()} gave it out, it is left to
 * the garbage collector. Not cleared: kernels write all of a result.
 */
final class ResultPool {
    /** A cache line, and the strictest alignment of an OpenCL type (long16 is 128 bytes). */
    private static final int ALIGNMENT = 128;

    private static final long MOST_IDLE_BYTES = 256L << 20;

    private final Map<Integer, Deque<ByteBuffer>> idle = new HashMap<>();
    private long idleBytes;

    /**
     * A row-major tensor with undefined contents.
     *
     * @throws IllegalArgumentException if it is larger than a tensor in host memory may be
     */
    Tensor tensor(DType dtype, long... shape) {
        long bytes = dtype.bytes();
        for (long size : shape) {
            bytes = Math.multiplyExact(bytes, size);
        }
        if (bytes == 0 || bytes > MOST_IDLE_BYTES) {
            return Tensor.zeros(dtype, shape);
        }
        return Tensor.inMemory(dtype, shape, new Memory(take((int) bytes)));
    }

    /** The memory of a tensor that {@link #tensor} made and that nobody else has yet. */
    static ByteBuffer forDevice(Tensor tensor) {
        return tensor.memory() instanceof Memory memory ? memory.unseen() : tensor.bytes();
    }

    private synchronized ByteBuffer take(int byteSize) {
        Deque<ByteBuffer> free = idle.get(byteSize);
        if (free != null && !free.isEmpty()) {
            idleBytes -= byteSize;
            return free.pop();
        }
        ByteBuffer raw = ByteBuffer.allocateDirect(Math.addExact(byteSize, ALIGNMENT));
        int misaligned = raw.alignmentOffset(0, ALIGNMENT);
        return raw.slice(misaligned == 0 ? 0 : ALIGNMENT - misaligned, byteSize).order(ByteOrder.nativeOrder());
    }

    private synchronized void release(ByteBuffer bytes) {
        if (idleBytes + bytes.capacity() <= MOST_IDLE_BYTES) {
            idleBytes += bytes.capacity();
            idle.computeIfAbsent(bytes.capacity(), size -> new ArrayDeque<>()).push(bytes);
        }
    }

    /** How many bytes wait for the next call. */
    synchronized long idleBytes() {
        return idleBytes;
    }

    /** Leaves all idle memory to the garbage collector; the pool can go on. */
    synchronized void clear() {
        idle.clear();
        idleBytes = 0;
    }

    /** A result's memory, the host's. */
    private final class Memory implements TensorMemory {
        private final int byteSize;
        private ByteBuffer bytes;
        private boolean seen;

        private Memory(ByteBuffer bytes) {
            this.bytes = bytes;
            this.byteSize = bytes.capacity();
        }

        /** For the device, which is done with it before anybody can close it. */
        private synchronized ByteBuffer unseen() {
            return bytes;
        }

        @Override
        public AttentionEngine engine() {
            return null;
        }

        @Override
        public long byteSize() {
            return byteSize;
        }

        @Override
        public synchronized ByteBuffer toHost() {
            if (bytes == null) {
                throw new IllegalStateException("the tensor is closed");
            }
            seen = true;
            return bytes;
        }

        @Override
        public synchronized boolean isClosed() {
            return bytes == null;
        }

        @Override
        public synchronized void close() {
            if (bytes != null && !seen) {
                release(bytes);
            }
            bytes = null;
        }
    }
}
