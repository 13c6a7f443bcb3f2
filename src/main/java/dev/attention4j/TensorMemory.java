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
     * {@return the engine whose device holds the memory; null where the memory is the host's and every engine can
     * read it}
     */
    AttentionEngine engine();

    /** {@return the size of the memory in bytes} */
    long byteSize();

    /**
     * The bytes, in native order, seen from the host: the memory itself where it is the host's, a copy otherwise.
     *
     * @return a buffer from 0 to {@link #byteSize()}
     * @throws IllegalStateException if the memory has been closed
     */
    ByteBuffer toHost();

    /**
     * Has some of the bytes read: of a device's no more are copied, and what lends out its memory may lend it again.
     *
     * @param <T> what the reader makes of them
     * @param firstByte from the memory's start
     * @param byteCount from there
     * @param reader gets a buffer of that size in native order, which it may use until it returns
     * @return what the reader returns
     * @throws IllegalStateException if the memory has been closed
     */
    default <T> T read(long firstByte, int byteCount, Function<ByteBuffer, T> reader) {
        return reader.apply(
                toHost().slice(Math.toIntExact(firstByte), byteCount).order(ByteOrder.nativeOrder()));
    }

    /** {@return true once {@link #close()} has been called, here or by closing the engine} */
    boolean isClosed();

    /** Gives the memory back; calling it again does nothing. */
    @Override
    void close();
}
