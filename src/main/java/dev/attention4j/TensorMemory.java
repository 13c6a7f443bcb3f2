package dev.attention4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Function;

/**
 * The memory under a {@link Tensor}: the host's, or a device's that an engine owns.
 *
 * <p>For those who write engines; callers meet only {@link Tensor}.
 */
public interface TensorMemory extends AutoCloseable {
    /**
     * {@return the engine whose device holds the memory; null for the host's memory, which every engine can read}
     */
    AttentionEngine engine();

    /** {@return the size of the memory in bytes} */
    long byteSize();

    /**
     * Returns the bytes in native order: the memory itself if it is the host's, a copy otherwise.
     *
     * @return a buffer from 0 to {@link #byteSize()}
     * @throws IllegalStateException if the memory has been closed
     */
    ByteBuffer toHost();

    /**
     * Reads some of the bytes. No more are copied from a device, and pooled memory may be used again afterwards.
     *
     * @param <T> the reader's result
     * @param reader gets a buffer of that size in native order, which it may use until it returns
     * @return the reader's result
     * @throws IllegalStateException if the memory has been closed
     */
    default <T> T read(long firstByte, int byteCount, Function<ByteBuffer, T> reader) {
        return reader.apply(
                toHost().slice(Math.toIntExact(firstByte), byteCount).order(ByteOrder.nativeOrder()));
    }

    /** {@return true once {@link #close()} has been called, here or by closing the engine} */
    boolean isClosed();

    /** Frees the memory; calling it again does nothing. */
    @Override
    void close();
}
