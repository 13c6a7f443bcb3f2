package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.TensorMemory;
import dev.attention4j.opencl.cache.Append;
import dev.attention4j.opencl.cache.RotateHeads;
import dev.attention4j.opencl.fused.MergeSplits;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.PartialResults;
import dev.attention4j.spi.TensorChecks;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

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

    AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts, Supplier<AttentionResult> then) {
        engine.checkOpen();
        return copy(targets, sources, TensorChecks.scatter(targets, sources, positions, counts), then);
    }

    AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        engine.checkOpen();
        TensorChecks.scatter(targets, sources, copies);
        return copy(targets, sources, copies, then);
    }

    private AttentionResult copy(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        for (Tensor target : targets) {
            if (target.memory().engine() != engine) {
                throw new IllegalArgumentException("targets: " + target + ", must be on this engine, "
                        + engine.info().name() + ": upload or zeros makes such");
            }
        }
        sources.forEach(source -> engine.checkOwner("sources", source));
        int heads = (int) targets.get(0).size(1);
        if (heads == 0 || copies.stream().allMatch(copy -> copy.count() == 0)) {
            return then.get();
        }
        OpenClEngine.Pending<Void> pending = engine.enqueue("writing rows", transfers -> {
            Append.Rows first = rows(transfers, targets.get(0), sources.get(0));
            Append.Rows second = targets.size() == 1 ? null : rows(transfers, targets.get(1), sources.get(1));
            Append.enqueue(context, first, second, transfers.integers(Append.table(copies)), copies, heads);
            return null;
        });
        return finish(pending, then);
    }

    /** Makes a call, and waits for the one enqueued before it. */
    private AttentionResult finish(OpenClEngine.Pending<?> pending, Supplier<AttentionResult> then) {
        AttentionResult result;
        try {
            result = then.get();
        } catch (RuntimeException | Error e) {
            Transfers.settle(() -> engine.finish(pending), e);
            throw e;
        }
        try {
            engine.finish(pending);
        } catch (RuntimeException e) {
            if (result != null) {
                result.close();
            }
            throw e;
        }
        return result;
    }

    AttentionResult merge(List<AttentionResult> parts) {
        engine.checkOpen();
        PartialResults.check(parts);
        parts.forEach(part -> engine.checkOwner("parts", part.output()));
        parts.forEach(part -> engine.checkOwner("parts", part.logSumExp()));
        return engine.finish(engine.enqueue("merging", transfers -> merge(parts, transfers)));
    }

    /** Brings the parts into one block of floats, and merges that. */
    private AttentionResult merge(List<AttentionResult> parts, Transfers transfers) {
        Tensor first = parts.get(0).output();
        long[] shape = first.shape();
        long[] rowsShape = Arrays.copyOf(shape, 3);
        int queries = (int) shape[2];
        int width = (int) shape[3];
        long rows = shape[0] * shape[1] * queries;
        AttentionResult result = new AttentionResult(
                transfers.result(first.dtype(), first.isOnHost(), shape),
                null,
                transfers.result(DType.FLOAT32, first.isOnHost(), rowsShape),
                PartialResults.PLAN);
        if (rows == 0) {
            return result;
        }
        List<RowCopy> everything = IntStream.range(0, (int) shape[0])
                .mapToObj(batch -> new RowCopy(batch, 0, batch, 0, queries))
                .toList();
        ClBuffer table = transfers.integers(Append.table(everything));
        ClBuffer outputs = transfers.scratch(4L * parts.size() * rows * width);
        ClBuffer logSumExps = transfers.scratch(4L * parts.size() * rows);
        for (int n = 0; n < parts.size(); n++) {
            Append.enqueue(
                    context,
                    copy(transfers, parts.get(n).output(), outputs, n * rows * width),
                    copy(transfers, column(parts.get(n).logSumExp()), logSumExps, n * rows),
                    table,
                    everything,
                    (int) shape[1]);
        }
        new MergeSplits(context)
                .enqueue(
                        new MergeSplits.Partial(outputs, logSumExps, parts.size(), rows, width),
                        true,
                        first.dtype(),
                        transfers.target("output", result.output(), first.dtype(), 0, rows * width),
                        transfers.target("log-sum-exp", result.logSumExp(), DType.FLOAT32, 0, rows));
        return result;
    }

    /** Returns a tensor [batch, heads, rows] with a last axis of size 1. */
    private static Tensor column(Tensor tensor) {
        return tensor.broadcast(1, tensor.size(0), tensor.size(1), tensor.size(2))
                .permute(1, 2, 3, 0);
    }

    /** Returns a copy of a tensor as floats, row-major, from an element of a buffer on. */
    private static Append.Rows copy(Transfers transfers, Tensor tensor, ClBuffer to, long firstElement) {
        long rows = tensor.size(2);
        long width = tensor.size(3);
        return new Append.Rows(
                transfers.rows("parts", tensor, false),
                tensor.dtype(),
                new Operand(to, firstElement, new long[] {tensor.size(1) * rows * width, rows * width, width, 1}),
                DType.FLOAT32,
                (int) width);
    }

    private static Append.Rows rows(Transfers transfers, Tensor target, Tensor source) {
        return new Append.Rows(
                transfers.rows("sources", source, false),
                source.dtype(),
                transfers.rows("targets", target, false),
                target.dtype(),
                (int) target.size(3));
    }

    Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        check(heads, rotary, positions);
        return engine.finish(enqueue(heads, rotary, positions, heads.dtype(), belongOnHost(heads)));
    }

    AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then) {
        check(heads, rotary, positions);
        turnedType.checkAttentionStorage("turnedType");
        OpenClEngine.Pending<Tensor> pending = enqueue(heads, rotary, positions, turnedType, false);
        try (Tensor turned = pending.result()) {
            if (belongOnHost(heads)) {
                ((Memory) turned.memory()).standForHost();
            }
            return finish(pending, () -> then.apply(turned));
        }
    }

    private void check(Tensor heads, RotaryEmbedding rotary, int... positions) {
        engine.checkOpen();
        TensorChecks.rotate(heads, rotary, positions);
        engine.checkOwner("heads", heads);
        engine.checkOwner("rotary", rotary.cosines());
        engine.checkOwner("rotary", rotary.sines());
    }

    private OpenClEngine.Pending<Tensor> enqueue(
            Tensor heads, RotaryEmbedding rotary, int[] positions, DType turnedType, boolean onHost) {
        boolean everyRow = positions.length != heads.size(0);
        int following = everyRow ? 0 : (int) Math.max(0, heads.size(2) - 1);
        int least = Arrays.stream(positions).min().orElse(0);
        return engine.enqueue("rotation", transfers -> {
            Tensor turned = transfers.result(turnedType, onHost, heads.shape());
            if (turned.elementCount() > 0) {
                RotateHeads.enqueue(
                        context,
                        new RotateHeads.Heads(
                                transfers.rows("heads", heads, false),
                                heads.dtype(),
                                transfers.target("turned", turned, turnedType, 0, turned.elementCount()),
                                turnedType,
                                (int) heads.size(0),
                                (int) heads.size(1),
                                (int) heads.size(2),
                                (int) heads.size(3)),
                        tables(
                                transfers,
                                rotary,
                                least,
                                following + Arrays.stream(positions).max().orElse(0)),
                        transfers.integers(Arrays.stream(positions)
                                .map(position -> position - least)
                                .toArray()),
                        everyRow);
            }
            return turned;
        });
    }

    /** The angles of positions from the first to the last, which are all that travels of tables on the host. */
    private static RotateHeads.Tables tables(Transfers transfers, RotaryEmbedding rotary, int first, int last) {
        UnaryOperator<Tensor> part =
                table -> table.slice(0, first, last + 1L).broadcast(1, 1, last + 1L - first, table.size(1));
        return new RotateHeads.Tables(
                transfers.rows("rotary", part.apply(rotary.cosines()), false),
                transfers.rows("rotary", part.apply(rotary.sines()), false),
                rotary.rotaryDim() / 2,
                rotary.isInterleaved());
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
