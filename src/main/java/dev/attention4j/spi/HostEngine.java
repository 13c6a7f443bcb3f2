package dev.attention4j.spi;

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
import dev.attention4j.Quantization;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;

/** The common part of engines that compute in Java, on host memory. */
public abstract class HostEngine implements AttentionEngine {
    private final EngineInfo info;
    private final String plan;
    private final EngineOptions options;
    private final ThreadPoolExecutor callers;
    private final CallsUnderWay calls;
    private final TensorUpdates updates = new Updates();

    /** Opens an engine with one plan; options that ask for another plan are refused. */
    protected HostEngine(EngineInfo info, String plan, EngineOptions options) {
        this.info = Objects.requireNonNull(info, "info");
        this.plan = plan;
        this.options = options;
        calls = new CallsUnderWay(info.id(), new ReentrantLock());
        // Only for attendAsync: other calls run on the calling thread.
        callers = Completion.threads(Runtime.getRuntime().availableProcessors(), "attention4j " + info.id());
        if (!options.plan().equals(EngineOptions.AUTO) && !options.plan().equals(plan)) {
            throw new IllegalArgumentException("plan: \"" + options.plan() + "\", must be \"" + EngineOptions.AUTO
                    + "\" or \"" + plan + "\" on the engine " + info.id());
        }
    }

    /**
     * Computes a problem that agrees with its tensors. These are on the host with any strides, and so is the result. Keys and
     * values do not lie in pages.
     */
    protected abstract AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value);

    /**
     * Computes the gradients of a call; its tensors are on the host with any strides, and so are the gradients.
     *
     * @throws UnsupportedOperationException if this engine computes none, as here
     */
    protected AttentionGradients compute(GradientCall call) {
        throw new UnsupportedOperationException("the engine " + info.id() + " computes no gradients");
    }

    @Override
    public final EngineInfo info() {
        return info;
    }

    @Override
    public final List<String> plans() {
        return List.of(plan);
    }

    @Override
    public PlanChoice explain(AttentionProblem problem) {
        checkExplainable(problem);
        return new PlanChoice(plan, Map.of(), "", "the only plan of the engine " + info.id());
    }

    @Override
    public final PlanChoice explain(Tensor query, Tensor key, Tensor value, Attention attention) {
        return explain(check(query, key, value, attention));
    }

    @Override
    public final AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention) {
        AttentionProblem problem = begin(query, key, value, attention);
        return finish(problem, query, key, value);
    }

    @Override
    public final CompletableFuture<AttentionResult> attendAsync(
            Tensor query, Tensor key, Tensor value, Attention attention) {
        AttentionProblem problem = begin(query, key, value, attention);
        CompletableFuture<AttentionResult> future = new CompletableFuture<>();
        // Not supplyAsync: it never runs the supplier of a cancelled future, and the call would never end.
        Completion.run(callers, () -> {
            try {
                Completion.complete(options, future, finish(problem, query, key, value));
            } catch (RuntimeException | Error e) {
                Completion.fail(options, future, e);
            }
        });
        return future;
    }

    @Override
    public final AttentionGradients gradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient,
            GradientOptions options) {
        check(query, key, value, attention);
        GradientCall call = GradientCall.of(query, key, value, attention, result, outputGradient, options);
        checkOnHost("result's output", call.output());
        checkOnHost("result's logSumExp", call.logSumExp());
        checkOnHost("outputGradient", outputGradient);
        options.logSumExpGradient().ifPresent(tensor -> checkOnHost("logSumExpGradient", tensor));
        calls.begin();
        try {
            return compute(call);
        } finally {
            calls.end();
        }
    }

    /** Accepts a call, for which {@link #close()} then waits. */
    private AttentionProblem begin(Tensor query, Tensor key, Tensor value, Attention attention) {
        AttentionProblem problem = check(query, key, value, attention);
        calls.begin();
        return problem;
    }

    private AttentionResult finish(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        try {
            PlainKeys plain = PlainKeys.of(problem, key, value);
            return compute(plain.problem(), query, plain.key(), plain.value());
        } finally {
            calls.end();
        }
    }

    private AttentionProblem check(Tensor query, Tensor key, Tensor value, Attention attention) {
        calls.checkOpen();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        checkOnHost("query", query);
        checkOnHost("key", key);
        checkOnHost("value", value);
        attention.mask().ifPresent(mask -> checkOnHost("mask", mask));
        attention.bias().ifPresent(bias -> checkOnHost("bias", bias));
        attention.pageTable().ifPresent(table -> checkOnHost("pageTable", table));
        return problem;
    }

    private void checkOnHost(String name, Tensor tensor) {
        if (!tensor.isOnHost()) {
            throw new IllegalArgumentException(
                    name + ": a tensor on " + tensor.memory().engine().info().name()
                            + ", must be on the host for the engine " + info.id() + " (download it there first)");
        }
    }

    @Override
    public final TensorUpdates updates() {
        return updates;
    }

    /** Updates in Java; part of the engine, so that closing it ends them. */
    private final class Updates implements TensorUpdates {
        @Override
        public void update(Update update, Tensor target, Tensor source, Tensor first, Tensor second) {
            calls.checkOpen();
            HostUpdates.check(HostEngine.this, update, target, source, first, second);
            calls.begin();
            try {
                HostUpdates.update(update, target, source, first, second);
            } finally {
                calls.end();
            }
        }

        @Override
        public double sumOfSquares(Tensor tensor) {
            calls.checkOpen();
            HostUpdates.check(HostEngine.this, "tensor", tensor);
            calls.begin();
            try {
                return HostUpdates.sumOfSquares(tensor);
            } finally {
                calls.end();
            }
        }
    }

    @Override
    public final Tensor upload(Tensor tensor) {
        return download(tensor);
    }

    @Override
    public final Tensor download(Tensor tensor) {
        Objects.requireNonNull(tensor, "tensor");
        calls.checkOpen();
        checkOnHost("tensor", tensor);
        TensorChecks.open("tensor", tensor);
        Tensor copy = Tensor.zeros(tensor.dtype(), tensor.shape());
        copy.bytes().put(tensor.contiguous().bytes());
        return copy;
    }

    @Override
    public final Tensor zeros(DType dtype, long... shape) {
        calls.checkOpen();
        return Tensor.zeros(dtype, shape);
    }

    @Override
    public final void scatter(List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts) {
        calls.checkOpen();
        scatter(targets, sources, TensorChecks.scatter(targets, sources, positions, counts), () -> null);
    }

    @Override
    public final AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        calls.checkOpen();
        TensorChecks.scatter(targets, sources, copies);
        targets.forEach(target -> checkOnHost("targets", target));
        sources.forEach(source -> checkOnHost("sources", source));
        calls.begin();
        try {
            for (int n = 0; n < targets.size(); n++) {
                copy(targets.get(n), sources.get(n), copies);
            }
        } finally {
            calls.end();
        }
        return then.get();
    }

    /** Copies rows of a tensor on the host into a row-major one, rounded to its type. */
    static void copy(Tensor target, Tensor source, List<RowCopy> copies) {
        if (target.elementCount() == 0 || source.elementCount() == 0) {
            return;
        }
        ByteBuffer from = source.to(target.dtype()).contiguous().bytes();
        ByteBuffer to = target.bytes();
        int heads = (int) target.size(1);
        DType dtype = target.dtype();
        long width = dtype.paddedWidth(target.size(3));
        // Of a quantized type scales follow the integers of all rows.
        int scaleBytes = dtype.isQuantized() ? (int) (width / Quantization.GROUP * Short.BYTES) : 0;
        int rowBytes = (int) dtype.byteSize(width) - scaleBytes;
        long fromScales = rowBytes * (source.elementCount() / source.size(3));
        for (RowCopy copy : copies) {
            for (int head = 0; head < heads; head++) {
                long fromRow = ((long) copy.fromBatch() * heads + head) * source.size(2) + copy.fromRow();
                long toRow = ((long) copy.toBatch() * heads + head) * target.size(2) + copy.toRow();
                to.put(
                        Math.toIntExact(toRow * rowBytes),
                        from,
                        Math.toIntExact(fromRow * rowBytes),
                        copy.count() * rowBytes);
                if (scaleBytes > 0) {
                    to.put(
                            Math.toIntExact(target.scalesOffset() + toRow * scaleBytes),
                            from,
                            Math.toIntExact(fromScales + fromRow * scaleBytes),
                            copy.count() * scaleBytes);
                }
            }
        }
    }

    @Override
    public final AttentionResult merge(List<AttentionResult> parts) {
        calls.checkOpen();
        PartialResults.check(parts);
        parts.forEach(part -> checkOnHost("parts", part.output()));
        parts.forEach(part -> checkOnHost("parts", part.logSumExp()));
        calls.begin();
        try {
            return PartialResults.merge(parts);
        } finally {
            calls.end();
        }
    }

    @Override
    public final Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        return rotated(heads, rotary, positions).to(heads.dtype());
    }

    @Override
    public final AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then) {
        turnedType.checkAttentionStorage("turnedType");
        try (Tensor turned = rotated(heads, rotary, positions).to(turnedType)) {
            return then.apply(turned);
        }
    }

    private Tensor rotated(Tensor heads, RotaryEmbedding rotary, int... positions) {
        calls.checkOpen();
        TensorChecks.rotate(heads, rotary, positions);
        checkOnHost("heads", heads);
        checkOnHost("rotary", rotary.cosines());
        checkOnHost("rotary", rotary.sines());
        calls.begin();
        try {
            return Rotation.of(heads, rotary, positions);
        } finally {
            calls.end();
        }
    }

    /** Refuses null, and any problem once this engine is closed. */
    protected final void checkExplainable(AttentionProblem problem) {
        Objects.requireNonNull(problem, "problem");
        calls.checkOpen();
    }

    @Override
    public final boolean isClosed() {
        return calls.isClosed();
    }

    /** Refuses new calls and waits for those that were accepted; closing again does nothing. */
    @Override
    public final void close() {
        calls.close(() -> {
            callers.shutdown();
            release();
        });
    }

    @Override
    public final String toString() {
        return info.id() + " (" + info.name() + ")" + (isClosed() ? ", closed" : "");
    }

    /** Releases the engine's resources, once, after the last call. */
    protected void release() {
        // Most hold nothing.
    }
}
