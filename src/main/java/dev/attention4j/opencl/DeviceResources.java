package dev.attention4j.opencl;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The resources of an engine on its device: the context, and the buffers under its tensors. A buffer goes back to the pool when
 * its tensor is closed, when the engine is, or when the tensor is no longer reachable. Refers to neither tensors nor
 * engine, so that both can become unreachable.
 */
final class DeviceResources {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceResources.class);

    private final String engine;
    private final Throwable made = Forgotten.here();
    private final DeviceContext context;
    private final ReentrantLock lock;
    private final ThreadPoolExecutor completer;
    private final Set<Held> open = ConcurrentHashMap.newKeySet();
    private boolean freed;

    /** To be freed by the next thread that has the lock, which the cleaner does not wait for. */
    private final Queue<Held> forgotten = new ConcurrentLinkedQueue<>();

    /** The memory of a tensor. */
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

        /** Takes the buffer away; the caller gives it back to the pool. */
        private synchronized ClBuffer take() {
            ClBuffer taken = buffer;
            buffer = null;
            return taken;
        }
    }

    /** Starts with an open context; warnings name the engine. */
    DeviceResources(String engine, DeviceContext context, ReentrantLock lock, ThreadPoolExecutor completer) {
        this.engine = engine;
        this.context = context;
        this.lock = lock;
        this.completer = completer;
        context.pool().onShortage(this::reclaim);
    }

    /** Returns a buffer with undefined contents; called under the lock. */
    Held allocate(long byteSize) {
        Held held = new Held(context.pool().acquire(Math.max(1, byteSize)));
        open.add(held);
        return held;
    }

    /** Gives a buffer back, once. */
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

    /** Called by the cleaner, for memory that is no longer reachable. */
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

    /** Gives back the memory of forgotten tensors; called under the lock. */
    boolean freeForgotten() {
        boolean any = false;
        for (Held held = forgotten.poll(); held != null; held = forgotten.poll()) {
            free(held);
            any = true;
        }
        return any;
    }

    /** Looks for forgotten tensors where memory is short; called under the lock. */
    private boolean reclaim() {
        if (open.isEmpty()) {
            return false;
        }
        Forgotten.collect(() -> !forgotten.isEmpty());
        return freeForgotten();
    }

    /** The number of open tensors. */
    int count() {
        return open.size();
    }

    /** Frees everything; called under the lock. */
    void close() {
        freed = true;
        completer.shutdown();
        forgotten.clear();
        List.copyOf(open).forEach(this::free);
        context.close();
    }

    /** Called by the cleaner, for an engine that is no longer reachable. */
    void forgetEngine() {
        lock.lock();
        try {
            if (!freed) {
                Forgotten.warn(Forgotten.Kind.ENGINE, engine, made);
                close();
            }
        } catch (RuntimeException e) {
            LOG.warn("{}: {}", engine, e.toString());
        } finally {
            lock.unlock();
        }
    }
}
