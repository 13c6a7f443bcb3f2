package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.locks.Lock;

/** The tensors in an engine's device memory, and the copies that callers ask for. */
final class DeviceTensors {
    private final OpenClEngine engine;
    private final DeviceContext context;
    private final Lock lock;
    private final boolean poison;
    private final ResultPool results = new ResultPool();
    private final DeviceBuffers buffers;

    /**
     * No tensors yet.
     *
     * @param lock the engine's, under which all commands are enqueued
     * @param buffers of the tensors
     * @param poison whether new memory is filled with NaN
     */
    DeviceTensors(OpenClEngine engine, DeviceContext context, Lock lock, DeviceBuffers buffers, boolean poison) {
        this.engine = engine;
        this.context = context;
        this.lock = lock;
        this.buffers = buffers;
        this.poison = poison;
    }

    /** Where results on the host get their memory. */
    ResultPool results() {
        return results;
    }

    /** A tensor with undefined contents; called under the lock. */
    Tensor allocate(DType dtype, long... shape) {
        long bytes = dtype.bytes();
        for (long size : shape) {
            bytes = Math.multiplyExact(bytes, size);
        }
        DeviceBuffers.Held held = buffers.allocate(bytes);
        DeviceMemory memory = new DeviceMemory(engine, buffers, held, bytes);
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
            DeviceMemory memory = (DeviceMemory) uploaded.memory();
            orFree(memory, () -> {
                context.queue().write(memory.buffer(), source.bytes());
                waitFor(source);
            });
            return uploaded;
        } finally {
            lock.unlock();
        }
    }

    /** Enqueues something; if that fails, nobody ever gets the memory. */
    private void orFree(DeviceMemory memory, Runnable commands) {
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
            PendingCall.settle(context.queue()::finish, e);
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

    /** A copy of some of a tensor's bytes. */
    ByteBuffer read(DeviceMemory memory, long firstByte, int byteCount) {
        lock.lock();
        try {
            engine.checkOpen();
            // A tensor's memory, because its lack is dealt with.
            ByteBuffer bytes = Tensor.zeros(DType.BOOL, byteCount).bytes();
            context.queue().read(memory.buffer(), firstByte, bytes);
            waitFor(bytes);
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    void free(DeviceBuffers.Held held) {
        buffers.free(held);
    }

    /** How many are open. */
    int count() {
        return buffers.count();
    }
}
