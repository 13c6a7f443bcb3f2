package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.GemmInputs;
import java.util.List;
import java.util.Optional;

/** PyTorch's {@code linear} on the CPU, as a scripted module. */
final class PyTorchGemm implements Contender<GemmInputs> {
    private final Torch torch;

    PyTorchGemm(int threads) {
        torch = new Torch(threads);
    }

    @Override
    public String name() {
        return "pytorch";
    }

    @Override
    public String plan() {
        return "linear";
    }

    @Override
    public boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(GemmInputs inputs) {
        return inputs.dtype() == DType.FLOAT32
                ? Optional.empty()
                : Optional.of("compared in float32 only, not in " + inputs.dtype());
    }

    @Override
    public Call prepare(GemmInputs inputs) {
        return torch.call(
                "linear",
                TorchModule::linear,
                List.of(inputs.input(), PyTorchLayer.turned(inputs.weights()), inputs.bias()));
    }

    @Override
    public void close() {
        torch.close();
    }
}
