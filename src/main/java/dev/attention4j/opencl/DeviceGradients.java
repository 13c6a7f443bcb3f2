package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.backward.BackwardCall;
import dev.attention4j.opencl.backward.BackwardPlan;
import dev.attention4j.opencl.machine.Warnings;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.spi.GradientCall;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The gradients of calls on a device. */
final class DeviceGradients implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceGradients.class);

    private final OpenClEngine engine;
    private final Planner<Workload, BackwardPlan> planner;
    private final EngineOptions options;
    private final boolean mayUseHost;
    private AttentionEngine host;

    /**
     * Works for one engine.
     *
     * @param mayUseHost true if tiny problems in host memory are computed in Java, as {@link HostPlan} does
     */
    DeviceGradients(
            OpenClEngine engine, EngineOptions options, Planner<Workload, BackwardPlan> planner, boolean mayUseHost) {
        this.engine = engine;
        this.mayUseHost = mayUseHost;
        this.planner = planner;
        this.options = options;
    }

    AttentionGradients compute(GradientCall call) {
        if (!call.options().parameters().isEmpty()) {
            LOG.debug(
                    "gradients of parameters {} are computed in Java",
                    call.options().parameters());
            return onHost(call);
        }
        Workload workload = Workload.of(call.problem(), isOnHost(call));
        if (mayUseHost && workload.onHost() && isTiny(workload)) {
            return onHost(call);
        }
        Planner.Choice<BackwardPlan> choice;
        try {
            choice = engine.locked(() -> planner.choose(workload));
        } catch (UnsupportedPlanException e) {
            Warnings.once(LOG, "Gradients are computed in Java, by the code of the engine cpu: " + e.getMessage());
            return onHost(call);
        }
        return engine.finish(engine.enqueue("gradients", transfers -> enqueue(call, workload, choice, transfers)));
    }

    private static boolean isOnHost(GradientCall call) {
        Attention attention = call.problem().attention();
        return Stream.of(
                        Stream.of(call.query(), call.key(), call.value(), call.output(), call.logSumExp()),
                        Stream.of(call.outputGradient()),
                        attention.mask().stream(),
                        attention.bias().stream(),
                        call.options().logSumExpGradient().stream())
                .flatMap(tensors -> tensors)
                .allMatch(Tensor::isOnHost);
    }

    /** Five products, where the forward pass has two. */
    private static boolean isTiny(Workload problem) {
        double pairs = (double) problem.rows() * problem.keyLength();
        return pairs * (3.0 * problem.headDim() + 2.0 * problem.valueDim()) <= HostPlan.MOST_MULTIPLY_ADDS;
    }

    private AttentionGradients enqueue(
            GradientCall call, Workload workload, Planner.Choice<BackwardPlan> choice, Transfers transfers) {
        AttentionProblem problem = call.problem();
        GradientOptions wanted = call.options();
        boolean onHost = DeviceTensors.belongOnHost(call.query());
        AttentionGradients gradients = new AttentionGradients(
                transfers.result(DType.FLOAT32, onHost, call.query().shape()),
                transfers.result(DType.FLOAT32, onHost, call.key().shape()),
                transfers.result(DType.FLOAT32, onHost, call.value().shape()),
                wanted.bias() ? transfers.result(DType.FLOAT32, onHost, call.biasShape()) : null,
                wanted.sinks() ? transfers.result(DType.FLOAT32, onHost, problem.queryHeads()) : null,
                wanted.alibiSlopes()
                        ? transfers.result(
                                DType.FLOAT32, onHost, problem.attention().alibiSlopes().length)
                        : null,
                Map.of(),
                choice.plan().name());
        ClBuffer unread = transfers.scratch(1);
        AttentionCall forward =
                new AttentionCall(problem, workload, call.query(), call.key(), call.value(), null, null, 0);
        choice.plan()
                .enqueue(new BackwardCall(
                        forward.deviceCall(transfers, false, unread, null, unread, choice.tunables(), Long.MAX_VALUE),
                        transfers.rows("output", call.output(), false),
                        transfers.rows("output gradient", call.outputGradient(), false),
                        call.outputGradient().dtype(),
                        rows(transfers, "log-sum-exp", call.logSumExp()),
                        wanted.logSumExpGradient()
                                .map(tensor -> rows(transfers, "log-sum-exp gradient", tensor))
                                .orElse(null),
                        target(transfers, "query gradient", gradients.query()),
                        target(transfers, "key gradient", gradients.key()),
                        target(transfers, "value gradient", gradients.value()),
                        wanted.bias() ? target(transfers, "bias gradient", gradients.bias()) : null,
                        wanted.sinks() ? target(transfers, "sinks gradient", gradients.sinks()) : null,
                        wanted.alibiSlopes() ? target(transfers, "slopes gradient", gradients.alibiSlopes()) : null));
        return gradients;
    }

    /** Returns numbers of rows with a last axis of size 1. */
    private static Operand rows(Transfers transfers, String name, Tensor tensor) {
        Tensor column = tensor.broadcast(1, tensor.size(0), tensor.size(1), tensor.size(2))
                .permute(1, 2, 3, 0);
        return transfers.rows(name, column, false);
    }

    private static ClBuffer target(Transfers transfers, String name, Tensor tensor) {
        return transfers.target(name, tensor, DType.FLOAT32, 0, tensor.elementCount());
    }

    /** Computes in Java, from copies of what is on the device. */
    private AttentionGradients onHost(GradientCall call) {
        Attention attention = call.problem().attention();
        Attention there = attention.toBuilder()
                .mask(attention.mask().map(this::toHost).orElse(null))
                .bias(attention.bias().map(this::toHost).orElse(null))
                .build();
        GradientOptions wanted = call.options();
        if (wanted.logSumExpGradient().isPresent()) {
            wanted = wanted.withLogSumExpGradient(
                    toHost(wanted.logSumExpGradient().get()));
        }
        AttentionGradients gradients = host().gradients(
                        toHost(call.query()),
                        toHost(call.key()),
                        toHost(call.value()),
                        there,
                        new AttentionResult(toHost(call.output()), null, toHost(call.logSumExp()), "host"),
                        toHost(call.outputGradient()),
                        wanted);
        if (DeviceTensors.belongOnHost(call.query())) {
            return gradients;
        }
        List<Tensor> uploaded = new ArrayList<>();
        UnaryOperator<Tensor> upload = tensor -> {
            uploaded.add(engine.upload(tensor));
            return uploaded.get(uploaded.size() - 1);
        };
        try {
            Map<String, Tensor> parameters = new LinkedHashMap<>();
            for (String name : wanted.parameters()) {
                parameters.put(name, upload.apply(gradients.parameter(name)));
            }
            return new AttentionGradients(
                    upload.apply(gradients.query()),
                    upload.apply(gradients.key()),
                    upload.apply(gradients.value()),
                    wanted.bias() ? upload.apply(gradients.bias()) : null,
                    wanted.sinks() ? upload.apply(gradients.sinks()) : null,
                    wanted.alibiSlopes() ? upload.apply(gradients.alibiSlopes()) : null,
                    parameters,
                    gradients.plan());
        } catch (RuntimeException | Error e) {
            uploaded.forEach(Tensor::close);
            throw e;
        }
    }

    private Tensor toHost(Tensor tensor) {
        return tensor.isOnHost() ? tensor : engine.download(tensor);
    }

    private synchronized AttentionEngine host() {
        if (host == null) {
            host = Engines.open("cpu", EngineOptions.DEFAULT.withThreads(options.threads()));
        }
        return host;
    }

    @Override
    public synchronized void close() {
        if (host != null) {
            host.close();
        }
    }
}
