package dev.attention4j.testing;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.HostEngine;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A plan as an engine, for tests that choose what a plan would choose itself. All tensors are copied into memory of the
 * device, view by view as they lie; what the plan does not write there is NaN.
 */
public final class PlanEngine extends HostEngine {
    private final DeviceContext context;
    private final AttentionPlan plan;

    public PlanEngine(ClDevice device, Function<DeviceContext, AttentionPlan> plan) {
        super(
                new EngineInfo(
                        "plan",
                        EngineInfo.Kind.OPENCL_CPU,
                        device.name(),
                        device.vendor(),
                        device.driverVersion(),
                        Map.of()),
                "forced",
                EngineOptions.DEFAULT);
        context = DeviceContext.open(device, null);
        this.plan = plan.apply(context);
    }

    @Override
    public Projector projector() {
        throw new UnsupportedOperationException("only attention");
    }

    @Override
    protected AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        Attention attention = problem.attention();
        List<ClBuffer> buffers = new ArrayList<>();
        Tensor output = Tensor.zeros(problem.dtype(), problem.outputShape());
        Tensor logSumExp = attention.wantsLogSumExp() ? Tensor.zeros(DType.FLOAT32, problem.logSumExpShape()) : null;
        ClBuffer outputThere = scratch(buffers, output.byteSize());
        ClBuffer logSumExpThere = logSumExp == null ? null : scratch(buffers, logSumExp.byteSize());
        Workload workload = Workload.of(problem, false);
        Tunables tunables = plan.defaults(workload).get(0);
        plan.enqueue(new DeviceCall(
                problem,
                workload,
                tunables,
                plan.division(workload, tunables, 0),
                upload(buffers, query),
                upload(buffers, key),
                upload(buffers, value),
                null,
                0,
                attention
                        .mask()
                        .map(mask -> upload(buffers, mask.broadcast(problem.weightsShape())))
                        .orElse(null),
                attention
                        .bias()
                        .map(bias -> upload(buffers, bias.to(DType.FLOAT32).broadcast(problem.weightsShape())))
                        .orElse(null),
                KeyRanges.areNeeded(attention) ? integers(buffers, KeyRanges.table(problem)) : null,
                floats(buffers, attention.alibiSlopes()),
                floats(buffers, attention.sinks()),
                attention.expressions().isEmpty()
                        ? null
                        : integers(
                                buffers, attention.expressions().numbers(problem.queryLength(), problem.keyLength())),
                outputThere,
                null,
                logSumExpThere,
                0,
                Long.MAX_VALUE,
                bytes -> scratch(buffers, bytes)));
        context.queue().read(outputThere, output.bytes());
        if (logSumExp != null) {
            context.queue().read(logSumExpThere, logSumExp.bytes());
        }
        context.queue().finish();
        buffers.forEach(context.pool()::release);
        return new AttentionResult(output, null, logSumExp, plan.name());
    }

    private ClBuffer scratch(List<ClBuffer> buffers, long bytes) {
        ClBuffer buffer = context.pool().acquire(Math.max(1, bytes));
        context.queue().poison(buffer);
        buffers.add(buffer);
        return buffer;
    }

    private ClBuffer upload(List<ClBuffer> buffers, ByteBuffer memory) {
        ClBuffer buffer = scratch(buffers, memory.capacity());
        try {
            context.queue().write(buffer, memory);
            context.queue().finish();
        } finally {
            Reference.reachabilityFence(memory);
        }
        return buffer;
    }

    private Operand upload(List<ClBuffer> buffers, Tensor tensor) {
        return new Operand(upload(buffers, tensor.memory().toHost()), tensor.offset(), tensor.strides());
    }

    private ClBuffer integers(List<ClBuffer> buffers, int... numbers) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * numbers.length).order(ByteOrder.nativeOrder());
        bytes.asIntBuffer().put(numbers);
        return upload(buffers, bytes);
    }

    private ClBuffer floats(List<ClBuffer> buffers, float... numbers) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * numbers.length).order(ByteOrder.nativeOrder());
        bytes.asFloatBuffer().put(numbers);
        return numbers.length == 0 ? null : upload(buffers, bytes);
    }

    @Override
    protected void release() {
        context.close();
    }
}
