package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.TensorMemory;
import dev.attention4j.opencl.runtime.ClBuffer;
import java.nio.ByteBuffer;
import java.util.function.Function;

/** A tensor's memory on the device of an engine, which takes it back when either is closed. */
final class DeviceMemory implements TensorMemory {
    private final OpenClEngine engine;
    private final long byteSize;
    private ClBuffer buffer;

    DeviceMemory(OpenClEngine engine, ClBuffer buffer, long byteSize) {
        this.engine = engine;
        this.buffer = buffer;
        this.byteSize = byteSize;
    }

    synchronized ClBuffer buffer() {
        if (buffer == null) {
            throw new IllegalStateException("the tensor is closed");
        }
        return buffer;
    }

    /** Takes the buffer away: whoever gets it gives it back to the pool. */
    synchronized ClBuffer take() {
        ClBuffer taken = buffer;
        buffer = null;
        return taken;
    }

    @Override
    public AttentionEngine engine() {
        return engine;
    }

    @Override
    public long byteSize() {
        return byteSize;
    }

    @Override
    public ByteBuffer toHost() {
        if (byteSize > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("the tensor's memory has " + byteSize + " bytes, must have at most "
                    + Integer.MAX_VALUE + " to be copied at once");
        }
        return engine.tensors().read(this, 0, (int) byteSize);
    }

    @Override
    public <T> T read(long firstByte, int byteCount, Function<ByteBuffer, T> reader) {
        return reader.apply(engine.tensors().read(this, firstByte, byteCount));
    }

    @Override
    public synchronized boolean isClosed() {
        return buffer == null;
    }

    @Override
    public void close() {
        engine.tensors().free(this);
    }
}
