package dev.attention4j.opencl.runtime;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the native handles that are alive, so that a test can end with none. What owns a handle keeps a receipt for it,
 * an instance of this, which also tells whether the handle was released already.
 *
 * <p>The system property {@code attention4j.handles.trace=true} keeps the stack that created each, for {@link
 * #report()}.
 */
public final class Handles {
    /** The kinds of OpenCL object. */
    public enum Kind {
        /** cl_context. */
        CONTEXT,
        /** cl_command_queue. */
        QUEUE,
        /** cl_mem. */
        BUFFER,
        /** cl_program. */
        PROGRAM,
        /** cl_kernel. */
        KERNEL,
        /** cl_event. */
        EVENT
    }

    /** The system property that keeps stacks. */
    public static final String TRACE_PROPERTY = "attention4j.handles.trace";

    private static final boolean TRACE = Boolean.getBoolean(TRACE_PROPERTY);
    private static final Map<Kind, AtomicLong> LIVE = new ConcurrentHashMap<>();
    private static final Map<Handles, Throwable> STACKS = new ConcurrentHashMap<>();

    private final Kind kind;
    /** Read before each use of a handle, without the lock that {@link #release} takes. */
    private volatile boolean released;

    private Handles(Kind kind) {
        this.kind = kind;
    }

    /** Counts one more; its owner keeps the receipt. */
    static Handles created(Kind kind) {
        Handles receipt = new Handles(kind);
        LIVE.computeIfAbsent(kind, k -> new AtomicLong()).incrementAndGet();
        if (TRACE) {
            STACKS.put(receipt, new Throwable(kind + " created here"));
        }
        return receipt;
    }

    /**
     * Counts one less.
     *
     * @return false if it was released before, and must not be given to OpenCL again
     */
    synchronized boolean release() {
        if (released) {
            return false;
        }
        released = true;
        LIVE.get(kind).decrementAndGet();
        STACKS.remove(this);
        return true;
    }

    /**
     * Whether it is kept where things are made.
     *
     * @return as the system property says
     */
    public static boolean areTraced() {
        return TRACE;
    }

    boolean isReleased() {
        return released;
    }

    /**
     * How many handles are alive in this JVM.
     *
     * @return 0 when all that was opened is closed
     */
    public static long live() {
        return LIVE.values().stream().mapToLong(AtomicLong::get).sum();
    }

    /**
     * The handles that are alive.
     *
     * @return a line for each kind, and with tracing the stack that created each handle
     */
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
