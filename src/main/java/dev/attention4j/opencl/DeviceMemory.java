package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.TensorMemory;
import dev.attention4j.opencl.runtime.ClBuffer;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.function.Function;

/** A tensor's memory on the device of an engine, which takes it back when either is closed, or the tensor is forgotten. */
final class DeviceMemory implements TensorMemory {
    private final OpenClEngine engine;
    private final long byteSize;
    private final DeviceBuffers.Held held;
    private final Cleaner.Cleanable watch;

    /**
     * Memory that is watched from now on.
     *
     * @param held of the engine's buffers
     */
    DeviceMemory(OpenClEngine engine, DeviceBuffers buffers, DeviceBuffers.Held held, long byteSize) {
        this.engine = engine;
        this.held = held;
        this.byteSize = byteSize;
        watch = Forgotten.watch(this, () -> buffers.forget(held));
    }

    ClBuffer buffer() {
        return held.buffer();
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
    public boolean isClosed() {
        return held.isClosed();
    }

    @Override
    public void close() {
        engine.tensors().free(held);
        watch.clean();
    }
}
