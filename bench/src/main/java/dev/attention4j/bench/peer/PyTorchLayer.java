package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.LayerInputs;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * What PyTorch's {@code nn.MultiheadAttention} computes in inference, without weights, on the CPU, as a scripted module:
 * by the steps of its Python code, or by the one operator that it takes where it can.
 */
final class PyTorchLayer implements Contender<LayerInputs> {
    private final Torch torch;
    private final String plan;
    private final IntFunction<byte[]> module;

    private PyTorchLayer(int threads, String plan, IntFunction<byte[]> module) {
        torch = new Torch(threads);
        this.plan = plan;
        this.module = module;
    }

    /** Both ways: which one is faster depends on the shape. */
    static List<Contender<LayerInputs>> both(int threads) {
        return List.of(
                new PyTorchLayer(threads, "multi_head_attention_forward", TorchModule::multiHeadAttention),
                new PyTorchLayer(threads, "native_multi_head_attention", TorchModule::nativeMultiHeadAttention));
    }

    @Override
    public String name() {
        return "pytorch";
    }

    @Override
    public String plan() {
        return plan;
    }

    @Override
    public boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(LayerInputs inputs) {
        return inputs.dtype() == DType.FLOAT32
                ? Optional.empty()
                : Optional.of("compared in float32 only, not in " + inputs.dtype());
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        int heads = inputs.shape().heads();
        return torch.call(
                plan + " " + heads,
                () -> module.apply(heads),
                List.of(
                        inputs.input(),
                        turned(inputs.inputWeights()),
                        inputs.inputBias(),
                        turned(inputs.outputWeights()),
                        inputs.outputBias()));
    }

    /** PyTorch's weights are [outputs, inputs]. */
    static Tensor turned(Tensor weights) {
        return weights.permute(1, 0).contiguous();
    }

    @Override
    public void close() {
        torch.close();
    }
}
