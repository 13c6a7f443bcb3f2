package dev.attention4j.opencl;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The buffers under an engine's tensors: each goes back to the pool when its tensor is closed, when the engine is, or
 * when nobody can reach the tensor any more. Refers to neither tensors nor engine, so that both can be found to be
 * unreachable.
 */
final class DeviceBuffers {
    private final DeviceContext context;
    private final ReentrantLock lock;
    private final Set<Held> open = ConcurrentHashMap.newKeySet();

    /** To be freed by whoever has the lock next, which the cleaner does not wait for. */
    private final Queue<Held> forgotten = new ConcurrentLinkedQueue<>();

    /** What a tensor's memory holds. */
    static final class Held {
        private final Throwable made = Forgotten.here();
        private ClBuffer buffer;

        private Held(ClBuffer buffer) {
            this.buffer = buffer;
        }

        synchronized ClBuffer buffer() {
            if (buffer == null) {
                throw new IllegalStateException("the tensor is closed");
            }
            return buffer;
        }

        synchronized boolean isClosed() {
            return buffer == null;
        }

        /** Takes the buffer away: whoever gets it gives it back to the pool. */
        private synchronized ClBuffer take() {
            ClBuffer taken = buffer;
            buffer = null;
            return taken;
        }
    }

    DeviceBuffers(DeviceContext context, ReentrantLock lock) {
        this.context = context;
        this.lock = lock;
        context.pool().onShortage(this::reclaim);
    }

    /** A buffer with undefined contents; called under the lock. */
    Held allocate(long byteSize) {
        Held held = new Held(context.pool().acquire(Math.max(1, byteSize)));
        open.add(held);
        return held;
    }

    /** Gives a buffer back; of one that was given back already nothing. */
    void free(Held held) {
        lock.lock();
        try {
            open.remove(held);
            ClBuffer buffer = held.take();
            if (buffer != null) {
                context.pool().release(buffer);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Called by the cleaner, for memory that nobody can reach. */
    void forget(Held held) {
        if (held.isClosed()) {
            return;
        }
        Forgotten.warn(
                Forgotten.Kind.TENSOR, held.buffer() + " on " + context.device().name(), held.made);
        forgotten.add(held);
        if (lock.tryLock()) {
            try {
                freeForgotten();
            } finally {
                lock.unlock();
            }
        }
    }

    /** Gives back what was found to be unreachable; called under the lock. */
    boolean freeForgotten() {
        boolean any = false;
        for (Held held = forgotten.poll(); held != null; held = forgotten.poll()) {
            free(held);
            any = true;
        }
        return any;
    }

    /** Where memory is short, looks for tensors that were forgotten; called under the lock. */
    private boolean reclaim() {
        if (open.isEmpty()) {
            return false;
        }
        Forgotten.collect(() -> !forgotten.isEmpty());
        return freeForgotten();
    }

    /** How many are open. */
    int count() {
        return open.size();
    }

    /** Gives all back; called under the lock, before the context is closed. */
    void close() {
        forgotten.clear();
        List.copyOf(open).forEach(this::free);
    }
}
