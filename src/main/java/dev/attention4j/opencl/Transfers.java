package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The tensors of one call on their way to the device and back. Where device and host share their memory nothing is
 * copied. Used under the engine's lock.
 */
final class Transfers {
    private final DeviceTensors tensors;
    private final DeviceContext context;
    private final boolean poison;
    private final List<ClBuffer> shared = new ArrayList<>();
    private final List<ClBuffer> pooled = new ArrayList<>();
    private final List<Object> alive = new ArrayList<>();
    private final List<Tensor> results = new ArrayList<>();
    private final List<Runnable> afterKernels = new ArrayList<>();

    Transfers(DeviceTensors tensors, DeviceContext context, boolean poison) {
        this.tensors = tensors;
        this.context = context;
        this.poison = poison;
    }

    /** Buffers over host memory, to be closed once the device is done. */
    List<ClBuffer> shared() {
        return shared;
    }

    /** Host memory that must outlive the call. */
    List<Object> alive() {
        return alive;
    }

    /** What {@link #result} made, to be closed if the call fails. */
    List<Tensor> results() {
        return results;
    }

    /** A query, key or value: any strides, but 1 along the last axis. */
    Operand rows(String name, Tensor tensor) {
        if (tensor.elementCount() == 0) {
            return new Operand(scratch(1), 0, new long[tensor.rank()]);
        }
        if (!tensor.isOnHost()) {
            if (tensor.size(-1) > 1 && tensor.strides()[tensor.rank() - 1] != 1) {
                throw new IllegalArgumentException(name + ": a view on a device with a stride along its last axis of "
                        + tensor.strides()[tensor.rank() - 1]
                        + ", must be 1 there; upload it in the order in which it is to be read");
            }
            return new Operand(((DeviceMemory) tensor.memory()).buffer(), tensor.offset(), tensor.strides());
        }
        boolean unitLast = tensor.size(-1) == 1 || tensor.strides()[tensor.rank() - 1] == 1;
        return fromHost(unitLast ? tensor : tensor.contiguous());
    }

    /** A mask or bias, right-aligned to four axes and repeated along those of size 1. */
    Operand broadcast(Tensor given, DType dtype) {
        Tensor tensor = given;
        if (given.dtype() != dtype) {
            if (!given.isOnHost()) {
                throw new IllegalArgumentException("bias: " + given.dtype() + " on a device, must be " + dtype
                        + " there; Tensor.to converts it before the upload");
            }
            tensor = given.to(dtype);
        }
        Operand operand = tensor.isOnHost() || tensor.elementCount() == 0
                ? tensor.elementCount() == 0 ? rows("mask or bias", tensor) : fromHost(tensor)
                : new Operand(((DeviceMemory) tensor.memory()).buffer(), tensor.offset(), tensor.strides());
        long[] strides = new long[4];
        for (int axis = 1; axis <= tensor.rank(); axis++) {
            strides[4 - axis] = tensor.size(-axis) == 1 ? 0 : operand.strides()[tensor.rank() - axis];
        }
        return new Operand(operand.buffer(), operand.offset(), strides);
    }

    private Operand fromHost(Tensor given) {
        Tensor tensor = given;
        // A small view of a large block: its gaps would travel too.
        if (!context.sharesHostMemory() && tensor.memory().byteSize() > 2 * tensor.byteSize()) {
            tensor = tensor.contiguous();
        }
        ByteBuffer memory = tensor.memory().toHost();
        alive.add(memory);
        ClBuffer buffer;
        if (context.sharesHostMemory()) {
            buffer = context.share(memory);
            shared.add(buffer);
        } else {
            buffer = scratch(memory.capacity());
            context.queue().write(buffer, memory);
        }
        return new Operand(buffer, tensor.offset(), tensor.strides());
    }

    /** An array of ints. */
    ClBuffer integers(int... numbers) {
        if (numbers.length == 0) {
            return scratch(1);
        }
        Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
        tensor.bytes().asIntBuffer().put(numbers);
        return fromHost(tensor).buffer();
    }

    /** An array of floats; null if it is empty. */
    ClBuffer floatsOrNull(float... numbers) {
        return numbers.length == 0
                ? null
                : fromHost(Tensor.of(numbers, numbers.length)).buffer();
    }

    /** Memory for the length of the call, with undefined contents. */
    ClBuffer scratch(long byteSize) {
        ClBuffer buffer = context.pool().acquire(Math.max(1, byteSize));
        pooled.add(buffer);
        if (poison) {
            context.queue().poison(buffer);
        }
        return buffer;
    }

    /** A tensor that kernels write, and the buffer in which they do. */
    record Result(Tensor tensor, ClBuffer buffer) {}

    Result result(DType dtype, boolean onHost, long... shape) {
        if (!onHost) {
            Tensor tensor = tensors.allocate(dtype, shape);
            results.add(tensor);
            return new Result(tensor, ((DeviceMemory) tensor.memory()).buffer());
        }
        Tensor tensor = tensors.results().tensor(dtype, shape);
        results.add(tensor);
        if (tensor.elementCount() == 0) {
            return new Result(tensor, scratch(1));
        }
        ByteBuffer memory = ResultPool.forDevice(tensor);
        alive.add(memory);
        if (context.sharesHostMemory()) {
            ClBuffer buffer = context.share(memory);
            shared.add(buffer);
            afterKernels.add(() -> context.queue().syncShared(buffer));
            if (poison) {
                context.queue().poison(buffer);
            }
            return new Result(tensor, buffer);
        }
        ClBuffer buffer = scratch(memory.capacity());
        afterKernels.add(() -> context.queue().read(buffer, memory));
        return new Result(tensor, buffer);
    }

    /** A copy, as a result on the host, of a tensor on the device that is row-major from its memory's start. */
    Tensor copyToHost(Tensor tensor) {
        ClBuffer buffer = ((DeviceMemory) tensor.memory()).buffer();
        Tensor copy = tensors.results().tensor(tensor.dtype(), tensor.shape());
        results.add(copy);
        ByteBuffer memory = ResultPool.forDevice(copy);
        alive.add(memory);
        context.queue().read(buffer, memory);
        return copy;
    }

    /** Enqueues the ways back, once the kernels are enqueued. */
    void enqueueResults() {
        afterKernels.forEach(Runnable::run);
    }

    /** Gives the pool its buffers back: the queue is in order, so the next user's commands come later. */
    void releasePooled() {
        pooled.forEach(context.pool()::release);
        pooled.clear();
    }
}
