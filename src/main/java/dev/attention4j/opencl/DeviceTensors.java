package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorMemory;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import java.util.function.Function;

/** The tensors in an engine's device memory, and the copies that callers ask for. */
final class DeviceTensors {
    private final OpenClEngine engine;
    private final DeviceContext context;
    private final Lock lock;
    private final DeviceResources resources;
    private final boolean poison;
    private final ResultPool results = new ResultPool();

    /** Starts without tensors. All commands are enqueued under the lock; poison fills new memory with NaN. */
    DeviceTensors(OpenClEngine engine, DeviceContext context, Lock lock, DeviceResources resources, boolean poison) {
        this.engine = engine;
        this.context = context;
        this.lock = lock;
        this.resources = resources;
        this.poison = poison;
    }

    /** A tensor's memory, which goes back to the engine when either is closed, or when the tensor is forgotten. */
    static final class Memory implements TensorMemory {
        private final DeviceTensors tensors;
        private final long byteSize;
        private final DeviceResources.Held held;
        private final Cleaner.Cleanable watch;
        private boolean standsForHost;

        private Memory(DeviceTensors tensors, long byteSize) {
            this.tensors = tensors;
            this.byteSize = byteSize;
            DeviceResources resources = tensors.resources;
            DeviceResources.Held allocated = resources.allocate(byteSize);
            held = allocated;
            watch = Forgotten.watch(this, () -> resources.forget(allocated));
        }

        ClBuffer buffer() {
            return held.buffer();
        }

        /** Makes results of calls with this go where the host's tensor is that this was computed from. */
        void standForHost() {
            standsForHost = true;
        }

        @Override
        public AttentionEngine engine() {
            return tensors.engine;
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
            return tensors.read(this, 0, (int) byteSize);
        }

        @Override
        public <T> T read(long firstByte, int byteCount, Function<ByteBuffer, T> reader) {
            return reader.apply(tensors.read(this, firstByte, byteCount));
        }

        @Override
        public boolean isClosed() {
            return held.isClosed();
        }

        @Override
        public void close() {
            tensors.resources.free(held);
            watch.clean();
        }
    }

    /** Returns whether results of a call with this query belong on the host. */
    static boolean belongOnHost(Tensor query) {
        return query.isOnHost() || (query.memory() instanceof Memory memory && memory.standsForHost);
    }

    /** The memory of results on the host. */
    ResultPool results() {
        return results;
    }

    /** Returns a tensor with undefined contents; called under the lock. */
    Tensor allocate(DType dtype, long... shape) {
        long bytes = Tensor.byteSize(dtype, shape);
        Memory memory = new Memory(this, bytes);
        if (poison) {
            orFree(memory, () -> context.queue().poison(memory.buffer()));
        }
        return Tensor.inMemory(dtype, shape, memory);
    }

    Tensor upload(Tensor tensor) {
        Objects.requireNonNull(tensor, "tensor");
        engine.checkOwner("tensor", tensor);
        if (tensor.isClosed()) {
            throw new IllegalStateException("tensor: the tensor is closed, must be open");
        }
        Tensor source = tensor.contiguous();
        lock.lock();
        try {
            engine.checkOpen();
            Tensor uploaded = allocate(tensor.dtype(), tensor.shape());
            Memory memory = (Memory) uploaded.memory();
            orFree(memory, () -> {
                context.queue().write(memory.buffer(), source.bytes());
                waitFor(source);
            });
            return uploaded;
        } finally {
            lock.unlock();
        }
    }

    Tensor zeros(DType dtype, long... shape) {
        lock.lock();
        try {
            engine.checkOpen();
            Tensor tensor = allocate(dtype, shape);
            Memory memory = (Memory) tensor.memory();
            orFree(memory, () -> context.queue().zero(memory.buffer()));
            return tensor;
        } finally {
            lock.unlock();
        }
    }

    /** Enqueues commands, and frees the memory if that fails: no caller gets it. */
    private static void orFree(Memory memory, Runnable commands) {
        try {
            commands.run();
        } catch (RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    /** Waits for a copy; if that fails, once more: the device must be done with the host's memory. */
    private void waitFor(Object hostMemory) {
        try {
            context.queue().finish();
        } catch (RuntimeException e) {
            Transfers.settle(context.queue()::finish, e);
            throw e;
        } finally {
            Reference.reachabilityFence(hostMemory);
        }
    }

    Tensor download(Tensor tensor) {
        Objects.requireNonNull(tensor, "tensor");
        engine.checkOpen();
        engine.checkOwner("tensor", tensor);
        if (!tensor.isOnHost() && tensor.isContiguous() && tensor.offset() == 0 && tensor.elementCount() > 0) {
            return engine.finish(engine.enqueue("a download", transfers -> transfers.copyToHost(tensor)));
        }
        Tensor copy = Tensor.zeros(tensor.dtype(), tensor.shape());
        copy.bytes().put(tensor.contiguous().bytes());
        return copy;
    }

    private ByteBuffer read(Memory memory, long firstByte, int byteCount) {
        lock.lock();
        try {
            engine.checkOpen();
            // A tensor's memory, because a lack of memory is explained there.
            ByteBuffer bytes = Tensor.zeros(DType.BOOL, byteCount).bytes();
            context.queue().read(memory.buffer(), firstByte, bytes);
            waitFor(bytes);
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    /** The number of open tensors. */
    int count() {
        return resources.count();
    }
}
