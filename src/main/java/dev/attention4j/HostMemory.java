package dev.attention4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Direct memory of the host, at an address that OpenCL runtimes accept without a copy. */
final class HostMemory implements TensorMemory {
    /** A cache line, and the strictest alignment of an OpenCL type (long16 is 128 bytes). */
    private static final int ALIGNMENT = 128;

    private final long byteSize;
    private volatile ByteBuffer bytes;

    HostMemory(ByteBuffer bytes) {
        this.bytes = bytes;
        this.byteSize = bytes.capacity();
    }

    /** Refuses a caller's memory that OpenCL could not read as it lies. */
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
            OutOfMemoryError named = new OutOfMemoryError("a tensor of " + byteSize
                    + " bytes does not fit this JVM's direct memory, which is as large as its heap unless"
                    + " -XX:MaxDirectMemorySize says otherwise: " + e.getMessage());
            named.initCause(e);
            throw named;
        }
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
