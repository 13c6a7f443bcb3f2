package dev.attention4j.bench.peer;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** PyTorch's {@code scaled_dot_product_attention} on the CPU. */
final class PyTorchPeer extends PyTorch<Inputs> {
    PyTorchPeer(TorchRuntime torch) {
        super(torch, "scaled_dot_product_attention");
    }

    @Override
    public Call prepare(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        boolean grouped = problem.queryHeads() != problem.keyValueHeads();
        // Its is_causal is aligned top-left: where a cache holds earlier tokens, people give a mask.
        boolean continued = inputs.shape().isCached() && problem.queryLength() < problem.keyLength();
        boolean causal = problem.attention().isCausal() && !continued;
        Optional<Tensor> mask =
                continued && problem.queryLength() > 1 ? Optional.of(upToOwnPosition(problem)) : inputs.maskTensor();
        boolean masked = mask.isPresent();
        List<Tensor> tensors = new ArrayList<>(List.of(inputs.query(), inputs.key(), inputs.value()));
        mask.ifPresent(tensors::add);
        String name = (grouped ? "grouped " : "") + (masked ? "masked" : causal ? "causal" : "");
        Supplier<byte[]> module = () -> TorchModule.scaledDotProductAttention(grouped, masked, causal);
        return inputs.shape().hasGradients()
                ? gradients(
                        name,
                        module,
                        tensors,
                        inputs.outputGradient(),
                        inputs.shape().pass() == AttentionShape.Pass.TRAINING)
                : call(name, module, tensors);
    }

    /** [1, 1, queryLength, keyLength], the last query being at the last key. */
    private static Tensor upToOwnPosition(AttentionProblem problem) {
        int keys = problem.keyLength();
        boolean[] attends = new boolean[problem.queryLength() * keys];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % keys <= n / keys + keys - problem.queryLength();
        }
        return Tensor.of(attends, 1, 1, problem.queryLength(), keys);
    }
}
