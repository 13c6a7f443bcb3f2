package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.GradientOptions;
import dev.attention4j.PlanChoice;
import dev.attention4j.Projector;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.probe.DeviceProbe;
import dev.attention4j.opencl.projection.ProjectionPlan;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.opencl.tuning.TuningDatabase;
import dev.attention4j.spi.CallsUnderWay;
import dev.attention4j.spi.Completion;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.TensorChecks;
import dev.attention4j.spi.TestOption;
import java.lang.ref.Cleaner;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Attention on an OpenCL device.
 *
 * <p>A call enqueues all its commands under the engine's lock (kernel arguments are not thread-safe) and waits for the
 * device outside of it, so that calls from several threads overlap.
 */
public final class OpenClEngine implements AttentionEngine {
    private static final Logger LOG = LoggerFactory.getLogger(OpenClEngine.class);

    private final EngineInfo info;
    private final DeviceContext context;
    private final Planner<Workload, AttentionPlan> planner;
    private final Planner<ProjectionPlan.Problem, ProjectionPlan> projections;
    private final EngineOptions options;
    private final ReentrantLock lock = new ReentrantLock();
    private final DeviceTensors tensors;
    private final DeviceRows rows;
    private final DeviceGradients gradients;
    private final DeviceProjector projector;
    private final DeviceUpdates updates;
    private final ThreadPoolExecutor completer;
    private final DeviceResources resources;
    private final Cleaner.Cleanable watch;
    private final CallsUnderWay calls;

    OpenClEngine(EngineInfo info, ClDevice device, EngineOptions options) {
        this.info = info;
        this.options = options;
        calls = new CallsUnderWay(info.id() + " (" + info.name() + ")", lock);
        context = DeviceContext.open(device, options.programCache(), options.maxDeviceBytes());
        if (device.quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
            LOG.warn(
                    "{} ({}) ends loops after 65,535 iterations, a bug of its driver: long or wide problems that no plan"
                            + " gets done within them are refused. Use it for tests of small problems.",
                    info.id(),
                    device);
        }
        completer = Completion.threads(1, "attention4j " + info.id());
        resources = new DeviceResources(info.id() + " (" + info.name() + ")", context, lock, completer);
        try {
            TuningDatabase tuning = TuningDatabase.open(options.tuning(), device.name(), device.driverVersion());
            planner = Planner.ofAttention(context, options, tuning);
            projections = Planner.ofProjections(context, tuning);
            tensors = new DeviceTensors(this, context, lock, resources, options.has(TestOption.POISON));
            rows = new DeviceRows(this, context);
            updates = new DeviceUpdates(this);
            gradients = new DeviceGradients(
                    this, options, Planner.ofGradients(context, options, tuning), planner.takesHost());
            projector =
                    new DeviceProjector(this, projections.chooseOrWarn("Projections", ProjectionPlan.Problem.USUAL));
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
        watch = Forgotten.watch(this, resources::forgetEngine);
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
    public PlanChoice explain(AttentionProblem problem) {
        Objects.requireNonNull(problem, "problem");
        return locked(() -> planner.explain(Workload.of(problem, true)));
    }

    /** A call whose tensors are on the device may take another plan than one on the host. */
    @Override
    public PlanChoice explain(Tensor query, Tensor key, Tensor value, Attention attention) {
        AttentionProblem problem = check(query, key, value, attention);
        return locked(() -> planner.explain(AttentionCall.workload(problem, query, key, value)));
    }

    @Override
    public Map<String, Object> probe() {
        return locked(() -> DeviceProbe.capabilities(context).facts());
    }

    @Override
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention) {
        return start(begin(query, key, value, attention, planner::choose)).get();
    }

    /**
     * Returns what is worth timing for a problem: of each plan that this engine may take, first what it would take itself,
     * then other tunables that fit. The first of all is what a call gets by itself.
     *
     * @throws dev.attention4j.UnsupportedPlanException if no plan that this engine may take can do it
     */
    public List<Variant> variants(AttentionProblem problem) {
        return locked(() -> planner.variants(Workload.of(problem, false)));
    }

    /**
     * Does {@link #attend(Tensor, Tensor, Tensor, Attention)} by one plan with given tunables, for tuning.
     *
     * @throws dev.attention4j.UnsupportedPlanException if the plan cannot do it so
     */
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention, Variant variant) {
        return start(begin(query, key, value, attention, problem -> planner.insist(problem, variant)))
                .get();
    }

    @Override
    public CompletableFuture<AttentionResult> attendAsync(Tensor query, Tensor key, Tensor value, Attention attention) {
        Supplier<AttentionResult> end = start(begin(query, key, value, attention, planner::choose));
        CompletableFuture<AttentionResult> future = new CompletableFuture<>();
        // Where no thread can be started this one waits for the device, and the future is complete.
        Completion.run(completer, () -> complete(end, future));
        return future;
    }

    /** Enqueues a call if its plan has kernels; the result computes it or waits for it. */
    private Supplier<AttentionResult> start(AttentionCall call) {
        if (call.choice().plan().isOnHost()) {
            return () -> compute(call);
        }
        Pending<AttentionResult> pending = enqueue("attention", call::enqueue);
        return () -> finish(pending);
    }

    private void complete(Supplier<AttentionResult> end, CompletableFuture<AttentionResult> future) {
        AttentionResult result;
        try {
            // The call has ended before its future completes, since what is attached to that may close the engine.
            result = end.get();
        } catch (RuntimeException | Error e) {
            Completion.fail(options, future, e);
            return;
        }
        Completion.complete(options, future, result);
    }

    private AttentionProblem check(Tensor query, Tensor key, Tensor value, Attention attention) {
        checkOpen();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        checkOwner("query", query);
        checkOwner("key", key);
        checkOwner("value", value);
        attention.mask().ifPresent(mask -> checkOwner("mask", mask));
        attention.bias().ifPresent(bias -> checkOwner("bias", bias));
        attention.pageTable().ifPresent(table -> checkOwner("pageTable", table));
        return problem;
    }

    /** Accepts a call, and chooses its plan. A call that computes on the host is under way then. */
    private AttentionCall begin(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            Function<Workload, Planner.Choice<AttentionPlan>> chooser) {
        AttentionProblem problem = check(query, key, value, attention);
        Workload workload = AttentionCall.workload(problem, query, key, value);
        long scratch = options.maxScratchBytes();
        lock.lock();
        try {
            checkOpen();
            Planner.Choice<AttentionPlan> choice = chooser.apply(workload);
            Division division = choice.plan().division(workload, choice.tunables(), scratch);
            if (choice.plan().isOnHost()) {
                calls.begin();
            }
            return new AttentionCall(problem, workload, query, key, value, choice, division, scratch);
        } finally {
            lock.unlock();
        }
    }

    /** Computes a call on the host, and ends it. */
    private AttentionResult compute(AttentionCall call) {
        try {
            HostPlan host = (HostPlan) call.choice().plan();
            return host.attend(call.query(), call.key(), call.value(), call.problem());
        } finally {
            calls.end();
        }
    }

    /**
     * A call that is enqueued.
     *
     * @param done complete when the last command is
     * @param result in memory that the device is still writing
     */
    record Pending<T>(ClEvent done, T result, Transfers transfers) {}

    /**
     * Enqueues a call under the lock; {@link #finish} ends it, outside of the lock. The commands get all of their
     * results from {@link Transfers#result}; errors of the device name {@code what}.
     */
    <T> Pending<T> enqueue(String what, Function<Transfers, T> commands) {
        lock.lock();
        try {
            checkOpen();
            resources.freeForgotten();
            Transfers transfers = new Transfers(tensors, context, options.has(TestOption.POISON));
            Pending<T> pending;
            try {
                T result = commands.apply(transfers);
                transfers.enqueueResults();
                pending = new Pending<>(context.queue().marker(what), result, transfers);
            } catch (RuntimeException | Error e) {
                transfers.abandon(this::settle, e);
                throw e;
            } finally {
                transfers.releasePooled();
            }
            calls.begin();
            return pending;
        } finally {
            lock.unlock();
        }
    }

    /** Runs something under the lock of an open engine. */
    <T> T locked(Supplier<T> body) {
        lock.lock();
        try {
            checkOpen();
            return body.get();
        } finally {
            lock.unlock();
        }
    }

    private void settle() {
        lock.lock();
        try {
            context.queue().finish();
        } finally {
            lock.unlock();
        }
    }

    /** Waits for a call and returns its result. */
    <T> T finish(Pending<T> pending) {
        try {
            pending.transfers.finish(pending.done, this::settle);
            return pending.result;
        } finally {
            calls.end();
        }
    }

    @Override
    public AttentionGradients gradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient,
            GradientOptions wanted) {
        check(query, key, value, attention);
        GradientCall call = GradientCall.of(query, key, value, attention, result, outputGradient, wanted);
        checkOwner("result's output", call.output());
        checkOwner("result's logSumExp", call.logSumExp());
        checkOwner("outputGradient", outputGradient);
        wanted.logSumExpGradient().ifPresent(tensor -> checkOwner("logSumExpGradient", tensor));
        return gradients.compute(call);
    }

    @Override
    public Projector projector() {
        return projector;
    }

    @Override
    public TensorUpdates updates() {
        return updates;
    }

    /** Returns the kernels so far for which a GPU has too few registers, each with the bytes of memory of a work-item. */
    public Map<String, Long> outOfRegisters() {
        return locked(context::outOfRegisters);
    }

    /** Returns what is worth timing for projections; the first is what this device gets if it is not tuned. */
    public List<Variant> projectionVariants() {
        return locked(() -> projections.variants(ProjectionPlan.Problem.USUAL));
    }

    /**
     * Returns projections by one plan with given tunables, for tuning. Only it can use the weights that it prepares.
     *
     * @throws dev.attention4j.UnsupportedPlanException if the plan cannot do it so
     */
    public Projector projector(Variant variant) {
        return new DeviceProjector(this, locked(() -> projections.insist(ProjectionPlan.Problem.USUAL, variant)));
    }

    /** The plan and tunables of {@link #projector()}. */
    Variant projectionVariant() {
        return projector.variant();
    }

    /**
     * Adds an event of each kernel that calls launch from now on to a list, whose owner closes them; null to stop. For
     * benchmarks of single kernels.
     */
    public void profileInto(List<ClEvent> events) {
        locked(() -> {
            context.queue().profileInto(events);
            return null;
        });
    }

    @Override
    public String toString() {
        return info.id() + " (" + info.name() + ")" + (isClosed() ? ", closed" : "");
    }

    // ---- tensors on the device

    @Override
    public Tensor upload(Tensor tensor) {
        return tensors.upload(tensor);
    }

    @Override
    public Tensor zeros(DType dtype, long... shape) {
        return tensors.zeros(dtype, shape);
    }

    @Override
    public void scatter(List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts) {
        checkOpen();
        rows.scatter(targets, sources, TensorChecks.scatter(targets, sources, positions, counts), () -> null);
    }

    @Override
    public AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        return rows.scatter(targets, sources, copies, then);
    }

    @Override
    public AttentionResult merge(List<AttentionResult> parts) {
        return rows.merge(parts);
    }

    @Override
    public Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        return rows.rotate(heads, rotary, positions);
    }

    @Override
    public AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then) {
        return rows.rotate(heads, rotary, positions, turnedType, then);
    }

    @Override
    public Tensor download(Tensor tensor) {
        return tensors.download(tensor);
    }

    /** The most device memory that this engine has allocated at a time, beyond what it shares with the host. */
    long mostDeviceBytes() {
        return locked(() -> context.pool().mostBytes());
    }

    /** Asked within {@link #enqueue(String, Function)}. */
    Planner<Workload, AttentionPlan> planner() {
        return planner;
    }

    DeviceTensors tensors() {
        return tensors;
    }

    /** The device, for tests that count what is copied. */
    DeviceContext context() {
        return context;
    }

    // ---- the engine's own life

    void checkOwner(String name, Tensor tensor) {
        AttentionEngine owner = tensor.memory().engine();
        if (owner != null && owner != this) {
            throw new IllegalArgumentException(
                    name + ": on " + owner.info().id() + " (" + owner.info().name()
                            + ") by another engine, must be on the host or of this engine of " + info.id()
                            + "; the other engine's download brings it to the host");
        }
    }

    void checkOpen() {
        calls.checkOpen();
    }

    @Override
    public boolean isClosed() {
        return calls.isClosed();
    }

    @Override
    public void close() {
        calls.close(() -> {
            tensors.results().clear();
            planner.close();
            gradients.close();
            resources.close();
        });
        watch.clean();
    }
}
