package dev.attention4j.tuner;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.problems.Inputs;
import dev.attention4j.conformance.problems.RowSample;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/** An attention on an OpenCL device, by plans and their tilings. */
final class AttentionWorkbench implements Workbench {
    private final AttentionProblem problem;
    private final Inputs onHost;
    private final RowSample oracle;
    private final EnginePair engines;
    private final Inputs onDevice;

    /**
     * Opens engines and draws the inputs.
     *
     * @param info an OpenCL device
     * @param plan a plan's name, or {@link dev.attention4j.EngineOptions#AUTO} for all
     */
    AttentionWorkbench(EngineInfo info, String plan, AttentionProblem problem) {
        this.problem = problem;
        onHost = Inputs.of(problem);
        oracle = new RowSample(onHost, ORACLE_FLOPS);
        engines = EnginePair.open(info, plan);
        try {
            onDevice = new Inputs(
                    upload(onHost.query()), upload(onHost.key()), upload(onHost.value()), onHost.attention());
        } catch (RuntimeException | Error e) {
            engines.close();
            throw e;
        }
    }

    private Tensor upload(Tensor tensor) {
        return engines.timed().upload(tensor);
    }

    private static AttentionResult attend(OpenClEngine engine, Inputs inputs, Variant variant) {
        return engine.attend(inputs.query(), inputs.key(), inputs.value(), inputs.attention(), variant);
    }

    @Override
    public List<Variant> variants() {
        return engines.timed().variants(problem);
    }

    @Override
    public Optional<String> objection(Variant variant) {
        try (AttentionResult result = attend(engines.checked(), onHost, variant)) {
            return oracle.objection(result);
        }
    }

    @Override
    public void run(Variant variant) {
        attend(engines.timed(), onDevice, variant).close();
    }

    @Override
    public void close() {
        engines.close();
    }
}
