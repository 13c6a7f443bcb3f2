package dev.attention4j.opencl.runtime;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * A native handle of an OpenCL object: given out until it is released, and released once. The handles alive are counted, so
 * that tests can check that none is left.
 *
 * <p>The system property {@code attention4j.handles.trace=true} keeps the stack that created each, for {@link #report()}.
 */
public final class Handle<T> {
    /** The kinds of OpenCL object. */
    enum Kind {
        CONTEXT,
        QUEUE,
        BUFFER,
        PROGRAM,
        KERNEL,
        EVENT
    }

    /** The system property that keeps stacks. */
    public static final String TRACE_PROPERTY = "attention4j.handles.trace";

    private static final boolean TRACE = Boolean.getBoolean(TRACE_PROPERTY);
    private static final Map<Kind, AtomicLong> LIVE = new ConcurrentHashMap<>();
    private static final Map<Handle<?>, Throwable> STACKS = new ConcurrentHashMap<>();

    private final Kind kind;
    private final String name;
    private final T handle;

    /** Volatile: it is read at each use of the handle, without the lock of {@link #release}. */
    private volatile boolean released;

    /** Takes over a handle; the name is that of the object in errors. */
    Handle(Kind kind, String name, T handle) {
        this.kind = kind;
        this.name = name;
        this.handle = handle;
        LIVE.computeIfAbsent(kind, k -> new AtomicLong()).incrementAndGet();
        if (TRACE) {
            STACKS.put(this, new Throwable(kind + " created here"));
        }
    }

    /** Returns the handle: a driver may crash on a released one. */
    T get() {
        if (released) {
            throw new IllegalStateException(name + " is closed");
        }
        return handle;
    }

    boolean isReleased() {
        return released;
    }

    /** Gives the handle to OpenCL's function that releases it, at the first call. */
    void release(Consumer<T> function) {
        synchronized (this) {
            if (released) {
                return;
            }
            released = true;
        }
        LIVE.get(kind).decrementAndGet();
        STACKS.remove(this);
        function.accept(handle);
    }

    /** Returns whether stacks are kept. */
    public static boolean areTraced() {
        return TRACE;
    }

    /** The number of handles alive in this JVM. */
    public static long live() {
        return LIVE.values().stream().mapToLong(AtomicLong::get).sum();
    }

    /** Lists the handles alive: a line for each kind, and with tracing the stack that created each handle. */
    public static String report() {
        StringBuilder text = new StringBuilder();
        new TreeMap<>(LIVE).forEach((kind, count) -> {
            if (count.get() != 0) {
                text.append(kind).append(": ").append(count.get()).append('\n');
            }
        });
        for (Throwable stack : STACKS.values()) {
            text.append(stack.getMessage()).append('\n');
            for (StackTraceElement frame : stack.getStackTrace()) {
                text.append("    at ").append(frame).append('\n');
            }
        }
        return text.toString();
    }
}
