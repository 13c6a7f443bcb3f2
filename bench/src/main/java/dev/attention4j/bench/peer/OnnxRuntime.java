package dev.attention4j.bench.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Workload;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** ONNX Runtime on the CPU, with a model of a few nodes. */
abstract class OnnxRuntime<W extends Workload> implements Contender<W> {
    private static final Set<String> OUTPUT = Set.of("output");

    private final OrtEnvironment environment =
            OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "attention4j-bench");
    private final int threads;
    private final String nodes;

    /** Loads ONNX Runtime. */
    OnnxRuntime(int threads, String nodes) {
        this.threads = threads;
        this.nodes = nodes;
    }

    /** The bytes of an .onnx file. */
    abstract byte[] model(W inputs);

    /** The model's inputs by name, float32 or int32, row-major. */
    abstract Map<String, Tensor> tensors(W inputs);

    /** Further outputs of the model, each with the input whose memory it is written to. */
    Map<String, String> shared(W inputs) {
        return Map.of();
    }

    /** The model's output as {@link Contender.Call#output} has it. */
    float[] result(W inputs, float[] output) {
        return output;
    }

    @Override
    public final String name() {
        return Peers.ONNX_RUNTIME;
    }

    @Override
    public final String plan() {
        return nodes;
    }

    @Override
    public final String builtWith() {
        return "ONNX Runtime " + environment.getVersion() + " with " + OrtEnvironment.getAvailableProviders() + ", "
                + threads + " threads; its matrix products are its own";
    }

    @Override
    public final boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(W inputs) {
        return Peers.refusal(name(), inputs);
    }

    @Override
    public final Call prepare(W inputs) {
        try {
            return new SessionCall(inputs);
        } catch (OrtException e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }

    /** Nothing: the environment is one for the whole JVM. */
    @Override
    public final void close() {}

    private final class SessionCall implements Call {
        private final W workload;
        private final OrtSession session;
        private final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        private final Map<String, OnnxTensor> shared = new LinkedHashMap<>();
        private OrtSession.Result output;

        SessionCall(W workload) throws OrtException {
            this.workload = workload;
            try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
                options.setIntraOpNumThreads(threads);
                options.setInterOpNumThreads(1);
                // What must not be left to the next contender: threads that spin.
                options.addConfigEntry("session.force_spinning_stop", "1");
                session = environment.createSession(model(workload), options);
            }
            for (Map.Entry<String, Tensor> entry : tensors(workload).entrySet()) {
                inputs.put(entry.getKey(), onnxTensor(entry.getValue()));
            }
            shared(workload).forEach((output, input) -> shared.put(output, inputs.get(input)));
        }

        /** A direct buffer is used as it lies. */
        private OnnxTensor onnxTensor(Tensor tensor) throws OrtException {
            return tensor.dtype() == DType.INT32
                    ? OnnxTensor.createTensor(environment, tensor.bytes().asIntBuffer(), tensor.shape())
                    : OnnxTensor.createTensor(environment, tensor.floats(), tensor.shape());
        }

        @Override
        public void run() {
            try {
                if (output != null) {
                    output.close();
                }
                output = session.run(inputs, OUTPUT, shared);
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }

        @Override
        public float[] output() {
            OnnxTensor tensor = (OnnxTensor) output.get("output").orElseThrow();
            float[] numbers = new float[(int) tensor.getInfo().getNumElements()];
            tensor.getFloatBuffer().get(numbers);
            return result(workload, numbers);
        }

        @Override
        public void close() {
            try {
                if (output != null) {
                    output.close();
                }
                inputs.values().forEach(OnnxTensor::close);
                session.close();
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }
    }
}
