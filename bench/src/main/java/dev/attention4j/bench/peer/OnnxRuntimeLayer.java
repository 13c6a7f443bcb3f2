package dev.attention4j.bench.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.LayerInputs;
import java.util.Map;
import java.util.Optional;

/** ONNX Runtime's {@code com.microsoft.Attention}, which projects its input itself, and a matrix product, on the CPU. */
final class OnnxRuntimeLayer implements Contender<LayerInputs> {
    private final OrtEnvironment environment;
    private final int threads;

    OnnxRuntimeLayer(int threads) {
        environment = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "attention4j-bench");
        this.threads = threads;
    }

    @Override
    public String name() {
        return "onnxruntime";
    }

    @Override
    public String plan() {
        return "Attention, MatMul";
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
        try {
            return new SessionCall(inputs);
        } catch (OrtException e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }

    /** Nothing: the environment is one for the whole JVM. */
    @Override
    public void close() {}

    private final class SessionCall implements Call {
        private final OrtSession session;
        private final OnnxTensor input;
        private OrtSession.Result result;

        SessionCall(LayerInputs inputs) throws OrtException {
            byte[] model = OnnxModel.layer(
                    inputs.shape().heads(),
                    inputs.inputWeights(),
                    inputs.inputBias(),
                    inputs.outputWeights(),
                    inputs.outputBias());
            try (OrtSession.SessionOptions options = OnnxRuntimePeer.options(threads)) {
                session = environment.createSession(model, options);
            }
            // A direct buffer is used as it lies.
            input = OnnxTensor.createTensor(
                    environment, inputs.input().floats(), inputs.input().shape());
        }

        @Override
        public void run() {
            try {
                if (result != null) {
                    result.close();
                }
                result = session.run(Map.of("input", input));
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }

        @Override
        public float[] output() {
            OnnxTensor output = (OnnxTensor) result.get(0);
            float[] numbers = new float[(int) output.getInfo().getNumElements()];
            output.getFloatBuffer().get(numbers);
            return numbers;
        }

        @Override
        public void close() {
            try {
                if (result != null) {
                    result.close();
                }
                input.close();
                session.close();
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }
    }
}
