package dev.attention4j.opencl.runtime;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the native handles that are alive, so that tests can check that none is left.
 *
 * <p>The system property {@code attention4j.handles.trace=true} keeps the stack that created each, for {@link #report()}.
 */
public final class Handles {
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

    private Handles() {}

    static void created(Kind kind, Handle<?> handle) {
        LIVE.computeIfAbsent(kind, k -> new AtomicLong()).incrementAndGet();
        if (TRACE) {
            STACKS.put(handle, new Throwable(kind + " created here"));
        }
    }

    static void released(Kind kind, Handle<?> handle) {
        LIVE.get(kind).decrementAndGet();
        STACKS.remove(handle);
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
