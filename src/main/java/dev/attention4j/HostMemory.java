package dev.attention4j;

import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Direct memory of the host, at an address that OpenCL runtimes accept without a copy. */
final class HostMemory implements TensorMemory {
    /** A cache line, and the strictest alignment of an OpenCL type (long16 is 128 bytes). */
    private static final int ALIGNMENT = 128;

    /** Far smaller than the objects that collectors treat as large. */
    private static final int GARBAGE_BYTES = 16 << 10;

    /** Written to so that no compiler removes an allocation. */
    @SuppressWarnings("UnusedVariable")
    private static volatile byte[] garbage;

    private final long byteSize;
    private volatile ByteBuffer bytes;

    HostMemory(ByteBuffer bytes) {
        this.bytes = bytes;
        this.byteSize = bytes.capacity();
    }

    /** Refuses a caller's memory that OpenCL could not read in place. */
    static void checkUsable(ByteBuffer bytes) {
        if (!bytes.isDirect()) {
            throw new IllegalArgumentException("bytes: a heap buffer; must be direct (ByteBuffer.allocateDirect)");
        }
        if (bytes.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("bytes: order is " + bytes.order() + ", must be the native "
                    + ByteOrder.nativeOrder() + " (bytes.order(ByteOrder.nativeOrder()))");
        }
    }

    static HostMemory allocate(int byteSize) {
        ByteBuffer raw = direct(Math.addExact(byteSize, ALIGNMENT));
        int misaligned = raw.alignmentOffset(0, ALIGNMENT);
        int start = misaligned == 0 ? 0 : ALIGNMENT - misaligned;
        return new HostMemory(raw.slice(start, byteSize).order(ByteOrder.nativeOrder()));
    }

    private static ByteBuffer direct(int byteSize) {
        try {
            return ByteBuffer.allocateDirect(byteSize);
        } catch (OutOfMemoryError e) {
            if (provokeCollection()) {
                try {
                    return ByteBuffer.allocateDirect(byteSize);
                } catch (OutOfMemoryError again) {
                    e.addSuppressed(again);
                }
            }
            OutOfMemoryError named = new OutOfMemoryError("a tensor of " + byteSize
                    + " bytes does not fit this JVM's direct memory, which is as large as its heap unless"
                    + " -XX:MaxDirectMemorySize says otherwise: " + e.getMessage());
            named.initCause(e);
            throw named;
        }
    }

    /**
     * Makes the garbage collector run although {@code -XX:+DisableExplicitGC} forbids {@code System.gc()}. Only the
     * collector frees direct memory, and the JDK calls it if there is too little. Where that has no effect, a program that
     * closes all its tensors runs out of memory, because small objects on the heap hold large blocks outside of it. So
     * garbage is allocated until the collector runs.
     *
     * @return false if the collector runs on request: then the memory is really in use
     */
    private static boolean provokeCollection() {
        WeakReference<Object> asked = new WeakReference<>(new Object());
        System.gc();
        if (asked.get() == null) {
            return false;
        }
        WeakReference<Object> provoked = new WeakReference<>(new Object());
        long most = 2 * Runtime.getRuntime().maxMemory();
        for (long made = 0; made < most && provoked.get() != null; made += GARBAGE_BYTES) {
            garbage = new byte[GARBAGE_BYTES];
        }
        garbage = null;
        return provoked.get() == null;
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
    public ByteBuffer toHost() {
        ByteBuffer current = bytes;
        if (current == null) {
            throw new IllegalStateException("the tensor is closed");
        }
        return current;
    }

    @Override
    public boolean isClosed() {
        return bytes == null;
    }

    @Override
    public void close() {
        // The garbage collector frees direct memory: a view that another thread still reads must not be unmapped.
        bytes = null;
    }
}
