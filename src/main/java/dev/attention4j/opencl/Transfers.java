package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

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

    /** Where the tensors go. */
    DeviceContext context() {
        return context;
    }

    /** What {@link #result} made, to be closed if the call fails. */
    List<Tensor> results() {
        return results;
    }

    /** As {@link #rows(String, Tensor, boolean)}, with any gaps that there are. */
    Operand rows(String name, Tensor tensor) {
        return rows(name, tensor, false);
    }

    /**
     * A query, key or value: any strides, but 1 along the last axis.
     *
     * @param closesGaps whether a view on the host that has gaps is copied
     */
    Operand rows(String name, Tensor tensor, boolean closesGaps) {
        if (tensor.elementCount() == 0) {
            return new Operand(scratch(1), 0, new long[tensor.rank()]);
        }
        if (!tensor.isOnHost()) {
            if (tensor.size(-1) > 1 && tensor.strides()[tensor.rank() - 1] != 1) {
                throw new IllegalArgumentException(name + ": a view on a device with a stride along its last axis of "
                        + tensor.strides()[tensor.rank() - 1]
                        + ", must be 1 there; upload it in the order in which it is to be read");
            }
            return new Operand(buffer(tensor), tensor.offset(), tensor.strides());
        }
        boolean unitLast = tensor.size(-1) == 1 || tensor.strides()[tensor.rank() - 1] == 1;
        return fromHost(unitLast ? tensor : tensor.contiguous(), closesGaps, UnaryOperator.identity());
    }

    /** A mask or bias, repeated to four axes. */
    Operand broadcast(Tensor given, DType dtype, boolean closesGaps, long... shape) {
        if (given.dtype() != dtype && !given.isOnHost()) {
            throw new IllegalArgumentException("bias: " + given.dtype() + " on a device, must be " + dtype
                    + " there; Tensor.to converts it before the upload");
        }
        Tensor tensor = given.to(dtype);
        if (tensor.elementCount() == 0) {
            return new Operand(scratch(1), 0, new long[shape.length]);
        }
        // Gaps are closed before anything is repeated.
        return tensor.isOnHost()
                ? fromHost(tensor, closesGaps, there -> there.broadcast(shape))
                : new Operand(
                        buffer(tensor), tensor.offset(), tensor.broadcast(shape).strides());
    }

    /** The buffer of a tensor on the device, which is not taken to be forgotten before the call is enqueued. */
    ClBuffer buffer(Tensor tensor) {
        DeviceMemory memory = (DeviceMemory) tensor.memory();
        alive.add(memory);
        return memory.buffer();
    }

    private Operand fromHost(Tensor given, boolean closesGaps, UnaryOperator<Tensor> view) {
        HostSpan span = HostSpan.of(given, context, closesGaps);
        ByteBuffer memory = span.bytes();
        alive.add(memory);
        ClBuffer buffer;
        if (context.sharesHostMemory()) {
            buffer = context.share(memory);
            shared.add(buffer);
        } else {
            buffer = scratch(memory.capacity());
            context.queue().write(buffer, memory);
        }
        return new Operand(buffer, span.offset(), view.apply(span.tensor()).strides());
    }

    /** An array of ints. */
    ClBuffer integers(int... numbers) {
        if (numbers.length == 0) {
            return scratch(1);
        }
        Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
        tensor.bytes().asIntBuffer().put(numbers);
        return fromHost(tensor, false, UnaryOperator.identity()).buffer();
    }

    /** An array of floats; null if it is empty. */
    ClBuffer floatsOrNull(float... numbers) {
        return numbers.length == 0
                ? null
                : fromHost(Tensor.of(numbers, numbers.length), false, UnaryOperator.identity())
                        .buffer();
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

    /** A tensor that {@link #target}'s buffers fill. */
    Tensor result(DType dtype, boolean onHost, long... shape) {
        Tensor tensor = onHost ? tensors.results().tensor(dtype, shape) : tensors.allocate(dtype, shape);
        results.add(tensor);
        return tensor;
    }

    /** The buffer in which kernels write all of a result. */
    ClBuffer target(Tensor result) {
        return target(result, 0, result.elementCount());
    }

    /** The buffer in which kernels write some elements of a result; of one on the device, all. */
    ClBuffer target(Tensor result, long firstElement, long elements) {
        if (!result.isOnHost()) {
            return buffer(result);
        }
        if (elements == 0) {
            return scratch(1);
        }
        int bytes = result.dtype().bytes();
        ByteBuffer memory = ResultPool.forDevice(result)
                .slice(Math.toIntExact(firstElement * bytes), Math.toIntExact(elements * bytes));
        alive.add(memory);
        if (context.sharesHostMemory()) {
            ClBuffer buffer = context.share(memory);
            shared.add(buffer);
            afterKernels.add(() -> context.queue().syncShared(buffer));
            if (poison) {
                context.queue().poison(buffer);
            }
            return buffer;
        }
        ClBuffer buffer = scratch(memory.capacity());
        afterKernels.add(() -> context.queue().read(buffer, memory));
        return buffer;
    }

    /** A copy, as a result on the host, of a tensor on the device that is row-major from its memory's start. */
    Tensor copyToHost(Tensor tensor) {
        ClBuffer buffer = buffer(tensor);
        Tensor copy = tensors.results().tensor(tensor.dtype(), tensor.shape());
        results.add(copy);
        ByteBuffer memory = ResultPool.forDevice(copy);
        alive.add(memory);
        context.queue().read(buffer, memory);
        return copy;
    }

    /**
     * Enqueues the ways back, once kernels are enqueued, and gives the pool its buffers: the queue is in order, so the
     * next user's commands, which may be this call's own, come later.
     */
    void enqueueResults() {
        afterKernels.forEach(Runnable::run);
        afterKernels.clear();
        releasePooled();
    }

    /** Gives the pool its buffers back, whatever was enqueued. */
    void releasePooled() {
        pooled.forEach(context.pool()::release);
        pooled.clear();
    }
}
