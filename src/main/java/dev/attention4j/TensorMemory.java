package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * The memory under a {@link Tensor}: the host's, or a device's that an engine owns.
 *
 * <p>For those who write engines; callers meet only {@link Tensor}.
 */
public interface TensorMemory extends AutoCloseable {
    /**
     * The engine whose device holds the memory.
     *
     * @return the owner, or null where the memory is the host's and every engine can read it
     */
    AttentionEngine engine();

    /**
     * The size of the memory.
     *
     * @return bytes
     */
    long byteSize();

    /**
     * The bytes, in native order, seen from the host: the memory itself where it is the host's, a copy otherwise.
     *
     * @return a buffer from 0 to {@link #byteSize()}
     * @throws IllegalStateException if the memory has been closed
     */
    ByteBuffer toHost();

    /**
     * Whether {@link #close()} has been called, here or by closing the engine.
     *
     * @return true once the memory is gone
     */
    boolean isClosed();

    /** Gives the memory back; calling it again does nothing. */
    @Override
    void close();
}
