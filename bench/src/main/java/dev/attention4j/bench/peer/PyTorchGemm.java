package dev.attention4j.bench.peer;

import dev.attention4j.bench.ProjectionInputs;
import java.util.List;

/** PyTorch's {@code linear} on the CPU. */
final class PyTorchGemm extends PyTorch<ProjectionInputs> {
    PyTorchGemm(TorchRuntime torch) {
        super(torch, "linear");
    }

    @Override
    public Call prepare(ProjectionInputs inputs) {
        return call(plan(), TorchModule::linear, List.of(inputs.input(), turned(inputs.weights()), inputs.bias()));
    }
}
