package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import dev.attention4j.bench.LayerInputs;
import java.util.Map;

/**
 * ONNX Runtime's {@code com.microsoft.Attention}, which projects its input itself, and a matrix product, on the CPU.
 */
final class OnnxRuntimeLayer extends OnnxRuntime<LayerInputs> {
    OnnxRuntimeLayer(int threads) {
        super(threads, "Attention, MatMul");
    }

    @Override
    byte[] model(LayerInputs inputs) {
        return OnnxModel.layer(
                inputs.shape().heads(),
                inputs.inputWeights(),
                inputs.inputBias(),
                inputs.outputWeights(),
                inputs.outputBias());
    }

    @Override
    Map<String, Tensor> tensors(LayerInputs inputs) {
        return Map.of("input", inputs.input());
    }
}
