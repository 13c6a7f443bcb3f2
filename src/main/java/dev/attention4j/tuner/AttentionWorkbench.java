package dev.attention4j.tuner;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/** An attention on an OpenCL device, by plans and their tilings. */
final class AttentionWorkbench implements Workbench {
    private final AttentionProblem problem;
    private final EnginePair engines;
    private final Tensor[] onHost;
    private final Tensor[] onDevice = new Tensor[3];
    private final SampledOracle oracle;

    /**
     * Opens engines and draws the inputs.
     *
     * @param info an OpenCL device
     * @param plan a plan's name, or {@link dev.attention4j.EngineOptions#AUTO} for all
     */
    AttentionWorkbench(EngineInfo info, String plan, AttentionProblem problem) {
        this.problem = problem;
        onHost = new Tensor[] {
            random(1, problem, problem.queryHeads(), problem.queryLength(), problem.headDim()),
            random(2, problem, problem.keyValueHeads(), problem.keyLength(), problem.headDim()),
            random(3, problem, problem.keyValueHeads(), problem.keyLength(), problem.valueDim())
        };
        oracle = SampledOracle.ofAttention(problem, onHost[0], onHost[1], onHost[2], ORACLE_FLOPS);
        engines = EnginePair.open(info, plan);
        try {
            for (int n = 0; n < onHost.length; n++) {
                onDevice[n] = engines.timed().upload(onHost[n]);
            }
        } catch (RuntimeException | Error e) {
            engines.close();
            throw e;
        }
    }

    private static Tensor random(long seed, AttentionProblem problem, int heads, int length, int width) {
        return Tensor.random(seed, problem.batch(), heads, length, width).to(problem.dtype());
    }

    @Override
    public List<Variant> variants() {
        return engines.timed().variants(problem);
    }

    @Override
    public Optional<String> objection(Variant variant) {
        try (AttentionResult result =
                engines.checked().attend(onHost[0], onHost[1], onHost[2], problem.attention(), variant)) {
            return oracle.objection(result.output().toFloatArray());
        }
    }

    @Override
    public void run(Variant variant) {
        engines.timed()
                .attend(onDevice[0], onDevice[1], onDevice[2], problem.attention(), variant)
                .close();
    }

    @Override
    public void close() {
        engines.close();
    }
}
