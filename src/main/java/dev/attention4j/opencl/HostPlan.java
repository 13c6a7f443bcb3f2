package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import java.util.Optional;

/**
 * Computes tiny problems in Java, by the code of the engine {@code cpu}, where the OpenCL device is this same
 * processor: launching a kernel takes a driver for the processor 0.1 to 0.2 ms, in which Java has computed them.
 *
 * <p>The choice depends on the shapes, and on whether all tensors are in host memory, and on nothing else, so a call
 * gives the same bits each time.
 */
final class HostPlan implements AttentionPlan, AutoCloseable {
    /** The name of this plan. */
    static final String NAME = "host";

    /**
     * The most multiply-adds of a problem that this plan is made for: up to here Java on one thread takes no longer than
     * a launch on every processor tried.
     */
    static final long MOST_MULTIPLY_ADDS = 100_000;

    private final int threads;
    private AttentionEngine engine;

    /** Starts nothing until the first call. */
    HostPlan(EngineOptions options) {
        threads = options.threads();
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public boolean isOnHost() {
        return true;
    }

    @Override
    public Optional<String> whyNot(Workload problem) {
        return problem.onHost()
                ? Optional.empty()
                : Optional.of("it computes in host memory, where all tensors of the call must be");
    }

    @Override
    public boolean suits(Workload problem) {
        return multiplyAdds(problem) <= MOST_MULTIPLY_ADDS;
    }

    private static double multiplyAdds(Workload problem) {
        return (double) problem.batch()
                * problem.queryHeads()
                * problem.queryLength()
                * problem.keyLength()
                * (problem.headDim() + problem.valueDim());
    }

    /** The engine that computes divides it itself. */
    @Override
    public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
        return Division.ofHeads(1);
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        return "in Java on this processor, by the code of the engine cpu, without a launch";
    }

    /** Computes a call on tensors in host memory; several threads may call at a time. */
    AttentionResult attend(Tensor query, Tensor key, Tensor value, AttentionProblem problem) {
        AttentionResult result = engine().attend(query, key, value, problem.attention());
        return new AttentionResult(
                result.output(),
                problem.attention().wantsWeights() ? result.weights() : null,
                problem.attention().wantsLogSumExp() ? result.logSumExp() : null,
                NAME);
    }

    private synchronized AttentionEngine engine() {
        if (engine == null) {
            engine = Engines.open("cpu", EngineOptions.DEFAULT.withThreads(threads));
        }
        return engine;
    }

    @Override
    public void enqueue(DeviceCall call) {
        throw new IllegalStateException("the plan " + NAME + " enqueues nothing");
    }

    @Override
    public synchronized void close() {
        if (engine != null) {
            engine.close();
        }
    }
}
