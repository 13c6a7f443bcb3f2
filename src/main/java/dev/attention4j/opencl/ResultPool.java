package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorMemory;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Host memory for results, kept for the next call where a result was closed: new memory is cleared by the system page
 * by page and once more by Java, which takes longer than many an attention.
 *
 * <p>Only memory that no caller can still reach is used again: once {@link TensorMemory#toHost()} gave it out, it is left to
 * the garbage collector. Not cleared: kernels write all of a result.
 *
 * <p>What is idle is referred to weakly: a JVM that is out of direct memory collects garbage before it gives up, and so finds
 * it here.
 */
final class ResultPool {
    private static final long MOST_IDLE_BYTES = 256L << 20;

    /** By size, the one that was asked for longest ago first. */
    private final Map<Integer, Deque<WeakReference<ByteBuffer>>> idle = new LinkedHashMap<>(16, 0.75f, true);

    /** Of all in {@link #idle}, those among them that have been collected too. */
    private long idleBytes;

    /**
     * A row-major tensor with undefined contents.
     *
     * @throws IllegalArgumentException if it is larger than a tensor in host memory may be
     */
    Tensor tensor(DType dtype, long... shape) {
        long bytes = Tensor.byteSize(dtype, shape);
        if (bytes == 0 || bytes > MOST_IDLE_BYTES) {
            return Tensor.zeros(dtype, shape);
        }
        return Tensor.inMemory(dtype, shape, new Memory(take((int) bytes)));
    }

    /** The memory of a tensor that {@link #tensor} made and that no caller has yet. */
    static ByteBuffer forDevice(Tensor tensor) {
        return tensor.memory() instanceof Memory memory ? memory.unseen() : tensor.bytes();
    }

    private ByteBuffer take(int byteSize) {
        ByteBuffer bytes = idle(byteSize);
        // A tensor's memory, because it is aligned and its lack is explained.
        return bytes == null ? Tensor.zeros(DType.BOOL, byteSize).bytes() : bytes;
    }

    private synchronized ByteBuffer idle(int byteSize) {
        Deque<WeakReference<ByteBuffer>> free = idle.get(byteSize);
        ByteBuffer bytes = null;
        while (bytes == null && free != null && !free.isEmpty()) {
            idleBytes -= byteSize;
            bytes = free.pop().get();
        }
        if (free != null && free.isEmpty()) {
            idle.remove(byteSize);
        }
        return bytes;
    }

    private synchronized void release(ByteBuffer bytes) {
        makeRoom(bytes.capacity());
        idleBytes += bytes.capacity();
        idle.computeIfAbsent(bytes.capacity(), size -> new ArrayDeque<>()).push(new WeakReference<>(bytes));
    }

    /** Frees sizes that no call asks for any more, as where texts grow. */
    private void makeRoom(int byteSize) {
        var oldest = idle.entrySet().iterator();
        while (idleBytes + byteSize > MOST_IDLE_BYTES) {
            Map.Entry<Integer, Deque<WeakReference<ByteBuffer>>> entry = oldest.next();
            Deque<WeakReference<ByteBuffer>> free = entry.getValue();
            while (!free.isEmpty() && idleBytes + byteSize > MOST_IDLE_BYTES) {
                free.removeLast();
                idleBytes -= entry.getKey();
            }
            if (free.isEmpty()) {
                oldest.remove();
            }
        }
    }

    /** The bytes that wait for the next call. */
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

        /** While it is read no other thread can close it, and no caller can reach it. */
        @Override
        public synchronized <T> T read(long firstByte, int byteCount, Function<ByteBuffer, T> reader) {
            if (bytes == null) {
                throw new IllegalStateException("the tensor is closed");
            }
            return reader.apply(bytes.slice((int) firstByte, byteCount).order(ByteOrder.nativeOrder()));
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
