package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Workload;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * PyTorch on the CPU, with a scripted module. The tensors are the same host memory that every contender gets; nothing
 * is copied on the way in.
 */
abstract class PyTorch<W extends Workload> implements Contender<W> {
    private final TorchRuntime torch;
    private final String plan;

    /** A contender that closes its runtime. */
    PyTorch(TorchRuntime torch, String plan) {
        this.torch = torch;
        this.plan = plan;
    }

    /** As {@link TorchRuntime#call}. */
    final Call call(String name, Supplier<byte[]> module, List<Tensor> inputs) {
        return torch.call(name, module, inputs);
    }

    /** As {@link TorchRuntime#gradients}, of query, key and value. */
    final Call gradients(
            String name, Supplier<byte[]> module, List<Tensor> inputs, Tensor outputGradient, boolean isForward) {
        return torch.gradients(name, module, inputs, 3, outputGradient, isForward);
    }

    /** PyTorch's weights are [outputs, inputs]. */
    static Tensor turned(Tensor weights) {
        return weights.permute(1, 0).contiguous();
    }

    @Override
    public final String name() {
        return torch.name();
    }

    @Override
    public final String plan() {
        return plan;
    }

    @Override
    public final String builtWith() {
        return torch.builtWith();
    }

    @Override
    public final boolean isPeer() {
        return true;
    }

    @Override
    public final Optional<String> refusal(W inputs) {
        return Peers.refusal(name(), inputs);
    }

    @Override
    public final void close() {
        torch.close();
    }
}
