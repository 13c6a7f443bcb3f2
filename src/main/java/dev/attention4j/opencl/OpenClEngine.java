package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.probe.DeviceProbe;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.tuning.TuningDatabase;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * Attention on an OpenCL device.
 *
 * <p>A call enqueues all its commands under the engine's lock (kernel arguments are not thread-safe) and waits for the
 * device outside of it, so that calls from several threads overlap.
 */
public final class OpenClEngine implements AttentionEngine {
    private final EngineInfo info;
    private final DeviceContext context;
    private final Planner planner;
    private final EngineOptions options;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition idle = lock.newCondition();
    private final Set<DeviceMemory> tensors = ConcurrentHashMap.newKeySet();
    private final ResultPool results = new ResultPool();
    private final ExecutorService completer;
    private int underWay;
    private volatile boolean closed;

    OpenClEngine(EngineInfo info, ClDevice device, EngineOptions options) {
        this.info = info;
        this.options = options;
        context = DeviceContext.open(device, options.programCache());
        try {
            TuningDatabase tuning = TuningDatabase.open(options.tuning(), device.name(), device.driverVersion());
            planner = new Planner(Plans.of(context), Plans.deviceClass(context), options.plan(), tuning);
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
        completer = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "attention4j " + info.id());
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public List<String> plans() {
        return planner.names();
    }

    @Override
    public String explain(AttentionProblem problem) {
        lock.lock();
        try {
            checkOpen();
            return planner.choose(problem).explanation(problem);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Map<String, Object> probe() {
        lock.lock();
        try {
            checkOpen();
            return DeviceProbe.facts(context);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention) {
        return finish(enqueue(query, key, value, attention, planner::choose));
    }

    /**
     * What is worth timing for a problem: of each plan that this engine may take, first what it would take itself, then
     * other tunables that fit.
     *
     * @param problem shapes and operation
     * @return first of all what a call gets that does not insist on anything
     */
    public List<Variant> variants(AttentionProblem problem) {
        lock.lock();
        try {
            checkOpen();
            return planner.variants(problem);
        } finally {
            lock.unlock();
        }
    }

    /**
     * As {@link #attend(Tensor, Tensor, Tensor, Attention)} by one plan with given tunables, for tuning.
     *
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param attention the operation
     * @param variant one of {@link #variants}
     * @return the result, complete
     * @throws dev.attention4j.UnsupportedPlanException if the plan cannot do it so
     */
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention, Variant variant) {
        return finish(enqueue(query, key, value, attention, problem -> planner.insist(problem, variant)));
    }

    private AttentionResult finish(PendingCall pending) {
        try {
            return pending.finish();
        } finally {
            callEnded();
        }
    }

    @Override
    public CompletableFuture<AttentionResult> attendAsync(Tensor query, Tensor key, Tensor value, Attention attention) {
        PendingCall pending = enqueue(query, key, value, attention, planner::choose);
        CompletableFuture<AttentionResult> future = new CompletableFuture<>();
        completer.execute(() -> complete(pending, future));
        return future;
    }

    private void complete(PendingCall pending, CompletableFuture<AttentionResult> future) {
        try {
            AttentionResult result = pending.finish();
            // On another thread: what the caller hangs on the future may wait for the next call, which this thread
            // ends.
            CompletableFuture<AttentionResult> unused = future.completeAsync(() -> result)
                    .whenComplete((given, failure) -> {
                        if (given != result) {
                            result.close();
                        }
                    });
        } catch (RuntimeException e) {
            future.completeExceptionally(e);
        } finally {
            callEnded();
        }
    }

    private PendingCall enqueue(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            Function<AttentionProblem, Planner.Choice> chooser) {
        checkOpen();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        checkOwner("query", query);
        checkOwner("key", key);
        checkOwner("value", value);
        attention.mask().ifPresent(mask -> checkOwner("mask", mask));
        attention.bias().ifPresent(bias -> checkOwner("bias", bias));
        lock.lock();
        try {
            checkOpen();
            Planner.Choice choice = chooser.apply(problem);
            Transfers transfers = new Transfers(this, context, options.poison());
            PendingCall pending;
            List<Tensor> results = new ArrayList<>();
            try {
                pending = enqueue(problem, choice, transfers, results, query, key, value);
            } catch (RuntimeException | Error e) {
                // What was enqueued before the failure still reads the buffers.
                context.queue().finish();
                transfers.shared().forEach(ClBuffer::close);
                results.forEach(Tensor::close);
                throw e;
            } finally {
                transfers.releasePooled();
            }
            underWay++;
            return pending;
        } finally {
            lock.unlock();
        }
    }

    private PendingCall enqueue(
            AttentionProblem problem,
            Planner.Choice choice,
            Transfers transfers,
            List<Tensor> results,
            Tensor query,
            Tensor key,
            Tensor value) {
        Attention attention = problem.attention();
        boolean onHost = query.isOnHost();
        Transfers.Result output = transfers.result(problem.dtype(), onHost, problem.outputShape());
        results.add(output.tensor());
        Transfers.Result weights =
                attention.wantsWeights() ? transfers.result(DType.FLOAT32, onHost, problem.weightsShape()) : null;
        if (weights != null) {
            results.add(weights.tensor());
        }
        Transfers.Result logSumExp =
                attention.wantsLogSumExp() ? transfers.result(DType.FLOAT32, onHost, problem.logSumExpShape()) : null;
        if (logSumExp != null) {
            results.add(logSumExp.tensor());
        }
        Plan plan = choice.plan();
        plan.enqueue(new DeviceCall(
                problem,
                choice.tunables(),
                transfers.rows("query", query),
                transfers.rows("key", key),
                transfers.rows("value", value),
                attention
                        .mask()
                        .map(mask -> transfers.broadcast(mask, DType.BOOL))
                        .orElse(null),
                attention
                        .bias()
                        .map(bias -> transfers.broadcast(bias, DType.FLOAT32))
                        .orElse(null),
                KeyRanges.needTable(attention) ? transfers.integers(KeyRanges.table(problem)) : null,
                transfers.floatsOrNull(attention.alibiSlopes()),
                transfers.floatsOrNull(attention.sinks()),
                output.buffer(),
                weights == null ? null : weights.buffer(),
                logSumExp == null ? null : logSumExp.buffer(),
                options.maxScratchBytes(),
                transfers::scratch));
        transfers.enqueueResults();
        ClEvent done = context.queue().marker("attention by the plan " + plan.name());
        AttentionResult result = new AttentionResult(
                output.tensor(),
                weights == null ? null : weights.tensor(),
                logSumExp == null ? null : logSumExp.tensor(),
                plan.name());
        return new PendingCall(done, result, transfers.shared(), transfers.alive());
    }

    /**
     * Collects an event for each kernel that calls from now on launch, for benchmarks of single kernels.
     *
     * @param events where to; the caller closes them; null to stop
     */
    public void profileInto(List<ClEvent> events) {
        lock.lock();
        try {
            context.queue().profileInto(events);
        } finally {
            lock.unlock();
        }
    }

    // ---- tensors on the device

    @Override
    public Tensor upload(Tensor tensor) {
        Objects.requireNonNull(tensor, "tensor");
        checkOwner("tensor", tensor);
        if (tensor.isClosed()) {
            throw new IllegalStateException("tensor: the tensor is closed, must be open");
        }
        Tensor source = tensor.contiguous();
        lock.lock();
        try {
            checkOpen();
            Tensor uploaded = allocate(tensor.dtype(), tensor.shape());
            context.queue().write(((DeviceMemory) uploaded.memory()).buffer(), source.bytes());
            context.queue().finish();
            return uploaded;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Tensor download(Tensor tensor) {
        checkOpen();
        checkOwner("tensor", tensor);
        Tensor copy = Tensor.zeros(tensor.dtype(), tensor.shape());
        copy.bytes().put(tensor.contiguous().bytes());
        return copy;
    }

    /** The most device memory that this engine has allocated at a time, beyond what it shares with the host. */
    long mostDeviceBytes() {
        lock.lock();
        try {
            return context.pool().mostBytes();
        } finally {
            lock.unlock();
        }
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
        ClBuffer buffer = context.pool().acquire(Math.max(1, bytes));
        if (options.poison()) {
            context.queue().poison(buffer);
        }
        DeviceMemory memory = new DeviceMemory(this, buffer, bytes);
        tensors.add(memory);
        return Tensor.inMemory(dtype, shape, memory);
    }

    ByteBuffer read(DeviceMemory memory) {
        lock.lock();
        try {
            checkOpen();
            ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(memory.byteSize()))
                    .order(ByteOrder.nativeOrder());
            context.queue().read(memory.buffer(), bytes);
            context.queue().finish();
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    void free(DeviceMemory memory) {
        lock.lock();
        try {
            tensors.remove(memory);
            ClBuffer buffer = memory.take();
            if (buffer != null) {
                context.pool().release(buffer);
            }
        } finally {
            lock.unlock();
        }
    }

    // ---- the engine's own life

    private void checkOwner(String name, Tensor tensor) {
        AttentionEngine owner = tensor.memory().engine();
        if (owner != null && owner != this) {
            throw new IllegalArgumentException(
                    name + ": a tensor of the engine " + owner.info().id() + " ("
                            + owner.info().name() + "), must be on the host or of this engine, " + info.id());
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the engine " + info.id() + " (" + info.name() + ") is closed");
        }
    }

    private void callEnded() {
        lock.lock();
        try {
            underWay--;
            idle.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean isClosed() {
        return closed;
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            while (underWay > 0) {
                idle.awaitUninterruptibly();
            }
            for (DeviceMemory memory : List.copyOf(tensors)) {
                free(memory);
            }
            context.close();
            results.clear();
        } finally {
            lock.unlock();
        }
        completer.shutdown();
        try {
            completer.awaitTermination(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
