package dev.attention4j.bench.peer;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Inputs;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * PyTorch's {@code scaled_dot_product_attention} on the CPU, through DJL, as a scripted module. The tensors are the
 * same host memory that every contender gets; nothing is copied on the way in.
 */
public final class PyTorchPeer implements Contender<Inputs> {
    private final Torch torch;

    /**
     * Loads PyTorch.
     *
     * @param threads how many one call may use; once per JVM, later numbers are not heeded
     * @throws IllegalStateException if PyTorch does not load
     */
    public PyTorchPeer(int threads) {
        torch = new Torch(threads);
    }

    @Override
    public String name() {
        return "pytorch";
    }

    @Override
    public String plan() {
        return "scaled_dot_product_attention";
    }

    @Override
    public boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        if (problem.dtype() != DType.FLOAT32) {
            return Optional.of("compared in float32 only, not in " + problem.dtype());
        }
        return Optional.empty();
    }

    @Override
    public Call prepare(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        boolean grouped = problem.queryHeads() != problem.keyValueHeads();
        List<Tensor> tensors = new ArrayList<>(List.of(inputs.query(), inputs.key(), inputs.value()));
        problem.attention().mask().ifPresent(tensors::add);
        return torch.call(
                (grouped ? "grouped " : "") + inputs.shape().restriction(),
                () -> TorchModule.scaledDotProductAttention(
                        grouped, inputs.shape().isMasked(), inputs.shape().isCausal()),
                tensors);
    }

    @Override
    public void close() {
        torch.close();
    }
}
