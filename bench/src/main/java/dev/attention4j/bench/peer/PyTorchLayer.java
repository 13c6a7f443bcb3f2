package dev.attention4j.bench.peer;

import dev.attention4j.bench.Contender;
import dev.attention4j.bench.LayerInputs;
import java.util.List;
import java.util.function.IntFunction;

/**
 * What PyTorch's {@code nn.MultiheadAttention} computes in inference, without weights, on the CPU: by the steps of its
 * Python code, or by the one operator that it takes where it can.
 */
final class PyTorchLayer extends PyTorch<LayerInputs> {
    private final IntFunction<byte[]> module;

    private PyTorchLayer(TorchRuntime torch, String plan, IntFunction<byte[]> module) {
        super(torch, plan);
        this.module = module;
    }

    /** The number of ways: which one is faster depends on the shape. */
    static final int WAYS = 2;

    /** One of the ways. */
    static Contender<LayerInputs> of(int way, TorchRuntime torch) {
        return way == 0
                ? new PyTorchLayer(torch, "multi_head_attention_forward", TorchModule::multiHeadAttention)
                : new PyTorchLayer(torch, "native_multi_head_attention", TorchModule::nativeMultiHeadAttention);
    }

    @Override
    public Call prepare(LayerInputs inputs) {
        int heads = inputs.shape().heads();
        return call(
                plan() + " " + heads,
                () -> module.apply(heads),
                List.of(
                        inputs.input(),
                        turned(inputs.inputWeights()),
                        inputs.inputBias(),
                        turned(inputs.outputWeights()),
                        inputs.outputBias()));
    }
}
