package dev.attention4j.opencl;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The tensors of one call on their way to the device and back. Where device and host share their memory nothing is
 * copied. A dry run counts the memory that a call needs, and does nothing else. Used under the engine's lock.
 */
final class Transfers {
    private final DeviceTensors tensors;
    private final DeviceContext context;
    private final boolean poison;

    /** Not null in a dry run. */
    private final Footprint footprint;

    /** Buffers over host memory, to be closed once the device is done. */
    private final List<ClBuffer> shared = new ArrayList<>();

    private final List<ClBuffer> pooled = new ArrayList<>();

    /** Host memory that must outlive the call. */
    private final List<Object> alive = new ArrayList<>();

    /** To be closed if the call fails. */
    private final List<Tensor> results = new ArrayList<>();

    private final List<Runnable> afterKernels = new ArrayList<>();

    Transfers(DeviceTensors tensors, DeviceContext context, boolean poison) {
        this(tensors, context, poison, null);
    }

    private Transfers(DeviceTensors tensors, DeviceContext context, boolean poison, Footprint footprint) {
        this.tensors = tensors;
        this.context = context;
        this.poison = poison;
        this.footprint = footprint;
    }

    /** Returns a dry run that counts into a footprint; its operands and buffers are null. */
    static Transfers counting(DeviceContext context, Footprint footprint) {
        return new Transfers(null, context, false, footprint);
    }

    DeviceContext context() {
        return context;
    }

    /**
     * Returns a query, key or value: any strides, but 1 along the last axis. A view on the host with gaps is copied if
     * {@code closesGaps}.
     */
    Operand rows(String name, Tensor tensor, boolean closesGaps) {
        if (counts(name, tensor, tensor.dtype(), closesGaps)) {
            return null;
        }
        if (tensor.elementCount() == 0) {
            return new Operand(scratch(1), 0, new long[tensor.rank()]);
        }
        if (!tensor.isOnHost()) {
            if (tensor.size(-1) > 1 && tensor.strides()[tensor.rank() - 1] != 1) {
                throw new IllegalArgumentException(name + ": a view on a device with a stride along its last axis of "
                        + tensor.strides()[tensor.rank() - 1]
                        + ", must be 1 there; upload it in the order in which it is to be read");
            }
            return new Operand(buffer(tensor), tensor.offset(), tensor.strides(), tensor.scalesOffset());
        }
        boolean unitLast = tensor.size(-1) == 1 || tensor.strides()[tensor.rank() - 1] == 1;
        return fromHost(unitLast ? tensor : tensor.contiguous(), closesGaps, UnaryOperator.identity());
    }

    /** Returns a mask or bias, repeated to four axes. */
    Operand broadcast(String name, Tensor given, DType dtype, boolean closesGaps, long... shape) {
        if (counts(name, given, dtype, closesGaps)) {
            return null;
        }
        if (given.dtype() != dtype && !given.isOnHost()) {
            throw new IllegalArgumentException(name + ": " + given.dtype() + " on a device, must be " + dtype
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

    /** In a dry run, counts the memory of a tensor that is read as a type. */
    private boolean counts(String name, Tensor tensor, DType dtype, boolean closesGaps) {
        if (footprint != null && tensor.isOnHost() && tensor.elementCount() > 0) {
            footprint.addShareable(
                    name,
                    tensor.dtype() == dtype
                            ? HostSpan.byteSize(tensor, context, closesGaps)
                            : tensor.elementCount() * dtype.bytes());
        }
        return footprint != null;
    }

    /** In a dry run, counts memory that the device may share with the host. */
    private boolean counts(String name, long bytes) {
        if (footprint != null) {
            footprint.addShareable(name, bytes);
        }
        return footprint != null;
    }

    /** Returns the buffer of a tensor on the device, which is not taken to be forgotten before the call is enqueued. */
    ClBuffer buffer(Tensor tensor) {
        DeviceTensors.Memory memory = (DeviceTensors.Memory) tensor.memory();
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
        return new Operand(
                buffer,
                span.offset(),
                view.apply(span.tensor()).strides(),
                span.tensor().scalesOffset());
    }

    /** Returns the key ranges of a problem. */
    ClBuffer keyRanges(AttentionProblem problem) {
        if (counts("key ranges", KeyRanges.byteSize(problem))) {
            return null;
        }
        return integers(KeyRanges.table(problem));
    }

    /** Returns the numbers that the expressions of a problem read. */
    ClBuffer expressions(AttentionProblem problem) {
        int[] numbers = problem.attention().expressions().numbers(problem.queryLength(), problem.keyLength());
        return counts("expressions", 4L * numbers.length) ? null : integers(numbers);
    }

    /** Returns an array of ints. */
    ClBuffer integers(int... numbers) {
        if (numbers.length == 0) {
            return scratch(1);
        }
        Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
        tensor.bytes().asIntBuffer().put(numbers);
        return fromHost(tensor, false, UnaryOperator.identity()).buffer();
    }

    /** Returns an array of floats; null if it is empty. */
    ClBuffer floatsOrNull(String name, float... numbers) {
        return counts(name, 4L * numbers.length) || numbers.length == 0
                ? null
                : fromHost(Tensor.of(numbers, numbers.length), false, UnaryOperator.identity())
                        .buffer();
    }

    /** Returns memory for the length of the call, with undefined contents. */
    ClBuffer scratch(long byteSize) {
        ClBuffer buffer = context.pool().acquire(Math.max(1, byteSize));
        pooled.add(buffer);
        if (poison) {
            context.queue().poison(buffer);
        }
        return buffer;
    }

    /** Returns a tensor that {@link #target}'s buffers fill; closed if the call fails. */
    Tensor result(DType dtype, boolean onHost, long... shape) {
        Tensor tensor = onHost ? tensors.results().tensor(dtype, shape) : tensors.allocate(dtype, shape);
        results.add(tensor);
        return tensor;
    }

    /** Returns the buffer in which kernels write some elements of a result; of one on the device, all. */
    ClBuffer target(String name, Tensor result, DType dtype, long firstElement, long elements) {
        if (counts(name, elements * dtype.bytes())) {
            return null;
        }
        if (!result.isOnHost()) {
            return buffer(result);
        }
        if (elements == 0) {
            return scratch(1);
        }
        int bytes = dtype.bytes();
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

    /** Returns a copy, as a result on the host, of a tensor on the device that is row-major from its memory's start. */
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
     * Enqueues the copies back, after the kernels, and gives the pool its buffers: the queue is in order, so the next
     * user's commands, which may be this call's own, come later.
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

    /** Waits for the device and closes what was held for the call; also its results, if the device fails. */
    void finish(ClEvent done, Runnable settle) {
        try {
            done.await();
        } catch (RuntimeException e) {
            settle(settle, e);
            results.forEach(Tensor::close);
            throw e;
        } finally {
            done.close();
            shared.forEach(ClBuffer::close);
            Reference.reachabilityFence(alive);
        }
    }

    /** Closes everything after a failure to enqueue: commands before it still use the buffers. */
    void abandon(Runnable settle, Throwable failure) {
        settle(settle, failure);
        shared.forEach(ClBuffer::close);
        results.forEach(Tensor::close);
    }

    /** Waits after a failure: the device must be done with memory before any other call gets it. */
    static void settle(Runnable waiting, Throwable failure) {
        try {
            waiting.run();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /**
     * The bytes of a tensor on the host from its first element to its last. A view of a large block takes no more of the device
     * than that.
     *
     * @param tensor not empty; the one that was given, or a copy without its gaps
     * @param firstByte in the tensor's memory
     * @param byteSize from there
     */
    private record HostSpan(Tensor tensor, long firstByte, long byteSize) {
        /** That of host memory itself, so that an address is as well aligned in every view. */
        private static final long ALIGNMENT = 128;

        /**
         * Returns what to give a device: a copy where the gaps of a view would be too much for it, or if {@code
         * closesGaps}, because the call as a whole has no room for them.
         */
        static HostSpan of(Tensor tensor, DeviceContext context, boolean closesGaps) {
            HostSpan span = asItLies(tensor);
            return span.isCopied(context, closesGaps) ? asItLies(tensor.contiguous()) : span;
        }

        /** Returns how many bytes {@link #of} would give, without copying any. */
        static long byteSize(Tensor tensor, DeviceContext context, boolean closesGaps) {
            HostSpan span = asItLies(tensor);
            return span.isCopied(context, closesGaps) ? tensor.byteSize() : span.byteSize;
        }

        private boolean isCopied(DeviceContext context, boolean closesGaps) {
            return isTooWide(context) || (closesGaps && byteSize > tensor.byteSize() + ALIGNMENT);
        }

        private static HostSpan asItLies(Tensor tensor) {
            if (tensor.dtype().isQuantized()) {
                // Scales follow the integers of the whole memory.
                return new HostSpan(tensor, 0, tensor.memory().byteSize());
            }
            long last = tensor.offset();
            for (int axis = 0; axis < tensor.rank(); axis++) {
                last += (tensor.size(axis) - 1) * tensor.strides()[axis];
            }
            int width = tensor.dtype().bytes();
            long first = tensor.offset() * width / ALIGNMENT * ALIGNMENT;
            return new HostSpan(tensor, first, (last + 1) * width - first);
        }

        private boolean isTooWide(DeviceContext context) {
            // Where gaps are copied, they cost more than closing them here.
            return byteSize > context.pool().largestAllocation()
                    || (!context.sharesHostMemory() && byteSize > 2 * tensor.byteSize() + ALIGNMENT);
        }

        /** The memory, at its first byte. */
        ByteBuffer bytes() {
            return tensor.memory()
                    .toHost()
                    .slice(Math.toIntExact(firstByte), Math.toIntExact(byteSize))
                    .order(ByteOrder.nativeOrder());
        }

        /** The first element's position in {@link #bytes}, in elements. */
        long offset() {
            return firstByte == 0
                    ? tensor.offset()
                    : tensor.offset() - firstByte / tensor.dtype().bytes();
        }
    }
}
