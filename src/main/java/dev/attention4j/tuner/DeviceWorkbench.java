package dev.attention4j.tuner;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Variant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A problem on an OpenCL device. Two engines: one fills memory with NaN before each use, so that a kernel which writes
 * nothing does not find the result of the one before it; the other is as fast as users have it.
 */
final class DeviceWorkbench implements Workbench, AutoCloseable {
    private static final double ORACLE_FLOPS = 4e8;

    private final AttentionProblem problem;
    private final OpenClEngine checked;
    private final OpenClEngine timed;
    private final Tensor[] onHost;
    private final Tensor[] onDevice = new Tensor[3];
    private final SampledOracle oracle;

    /**
     * Opens both engines and draws the inputs.
     *
     * @param info an OpenCL device
     * @param plan a plan's name, or {@link EngineOptions#AUTO} for all
     */
    DeviceWorkbench(EngineInfo info, String plan, AttentionProblem problem) {
        this.problem = problem;
        EngineOptions options = EngineOptions.DEFAULT.withPlan(plan).withTuning(Tuning.SHIPPED);
        onHost = new Tensor[] {
            random(1, problem, problem.queryHeads(), problem.queryLength(), problem.headDim()),
            random(2, problem, problem.keyValueHeads(), problem.keyLength(), problem.headDim()),
            random(3, problem, problem.keyValueHeads(), problem.keyLength(), problem.valueDim())
        };
        oracle = new SampledOracle(problem, onHost[0], onHost[1], onHost[2], ORACLE_FLOPS);
        List<AttentionEngine> opened = new ArrayList<>();
        try {
            for (boolean poison : new boolean[] {true, false}) {
                opened.add(Engines.open(info.id(), options.withPoison(poison)));
            }
            checked = openCl(opened.get(0));
            timed = openCl(opened.get(1));
            for (int n = 0; n < onHost.length; n++) {
                onDevice[n] = timed.upload(onHost[n]);
            }
        } catch (RuntimeException | Error e) {
            opened.forEach(AttentionEngine::close);
            throw e;
        }
    }

    private static Tensor random(long seed, AttentionProblem problem, int heads, int length, int width) {
        return Tensor.random(seed, problem.batch(), heads, length, width).to(problem.dtype());
    }

    private static OpenClEngine openCl(AttentionEngine engine) {
        if (engine instanceof OpenClEngine openCl) {
            return openCl;
        }
        throw new IllegalArgumentException("device: " + engine.info().id() + " has one plan and nothing to tune");
    }

    @Override
    public List<Variant> variants() {
        return timed.variants(problem);
    }

    @Override
    public Optional<String> objection(Variant variant) {
        try (AttentionResult result = checked.attend(onHost[0], onHost[1], onHost[2], problem.attention(), variant)) {
            return oracle.objection(result.output().toFloatArray());
        }
    }

    @Override
    public void run(Variant variant) {
        timed.attend(onDevice[0], onDevice[1], onDevice[2], problem.attention(), variant)
                .close();
    }

    @Override
    public void close() {
        timed.close();
        checked.close();
    }
}
