package dev.attention4j.bench.peer;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import java.util.ArrayList;
import java.util.List;

/** PyTorch's {@code scaled_dot_product_attention} on the CPU. */
final class PyTorchPeer extends PyTorch<Inputs> {
    PyTorchPeer(TorchRuntime torch) {
        super(torch, "scaled_dot_product_attention");
    }

    @Override
    public Call prepare(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        boolean grouped = problem.queryHeads() != problem.keyValueHeads();
        List<Tensor> tensors = new ArrayList<>(List.of(inputs.query(), inputs.key(), inputs.value()));
        problem.attention().mask().ifPresent(tensors::add);
        return call(
                (grouped ? "grouped " : "") + inputs.shape().restriction(),
                () -> TorchModule.scaledDotProductAttention(
                        grouped, inputs.shape().isMasked(), inputs.shape().isCausal()),
                tensors);
    }
}
