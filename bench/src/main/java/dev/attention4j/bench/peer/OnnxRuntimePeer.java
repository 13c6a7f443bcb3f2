package dev.attention4j.bench.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Inputs;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * ONNX Runtime's {@code com.microsoft.MultiHeadAttention} on the CPU.
 *
 * <p>The operator wants [batch, length, heads · headDim]. Query, key and value are brought into that layout before the
 * timing, and the output back after it: what is timed is what a caller sees whose tensors have that layout.
 */
public final class OnnxRuntimePeer implements Contender<Inputs> {
    private final OrtEnvironment environment;
    private final int threads;

    /**
     * Loads ONNX Runtime.
     *
     * @param threads how many one call may use
     */
    public OnnxRuntimePeer(int threads) {
        environment = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "attention4j-bench");
        this.threads = threads;
    }

    @Override
    public String name() {
        return "onnxruntime";
    }

    @Override
    public String plan() {
        return "MultiHeadAttention";
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
        if (problem.queryHeads() != problem.keyValueHeads()) {
            return Optional.of("MultiHeadAttention has no grouped heads");
        }
        return problem.attention().isCausal() && problem.queryLength() != problem.keyLength()
                ? Optional.of("its unidirectional is not aligned top-left where the lengths differ")
                : Optional.empty();
    }

    @Override
    public Call prepare(Inputs inputs) {
        try {
            return new SessionCall(inputs);
        } catch (OrtException e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }

    /** Nothing: the environment is one for the whole JVM. */
    @Override
    public void close() {}

    /** What must not be left to the next contender: threads that spin. */
    static OrtSession.SessionOptions options(int threads) throws OrtException {
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(threads);
        options.setInterOpNumThreads(1);
        options.addConfigEntry("session.force_spinning_stop", "1");
        return options;
    }

    private final class SessionCall implements Call {
        private final AttentionProblem problem;
        private final OrtSession session;
        private final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        private OrtSession.Result result;

        SessionCall(Inputs tensors) throws OrtException {
            problem = tensors.problem();
            Optional<Tensor> mask = problem.attention().mask();
            byte[] model = OnnxModel.multiHeadAttention(
                    problem.queryHeads(), problem.attention().isCausal(), mask.isPresent());
            try (OrtSession.SessionOptions options = options(threads)) {
                session = environment.createSession(model, options);
            }
            add("query", headsInside(tensors.query()));
            add("key", headsInside(tensors.key()));
            add("value", headsInside(tensors.value()));
            if (mask.isPresent()) {
                add("attention_bias", bias(mask.get()));
            }
        }

        private void add(String name, Tensor tensor) throws OrtException {
            // A direct buffer is used as it lies.
            inputs.put(name, OnnxTensor.createTensor(environment, tensor.floats(), tensor.shape()));
        }

        @Override
        public void run() {
            try {
                if (result != null) {
                    result.close();
                }
                result = session.run(inputs);
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }

        @Override
        public float[] output() {
            FloatBuffer floats = ((OnnxTensor) result.get(0)).getFloatBuffer();
            Tensor output =
                    Tensor.of(floats, problem.batch(), problem.queryLength(), problem.queryHeads(), problem.valueDim());
            return output.permute(0, 2, 1, 3).toFloatArray();
        }

        @Override
        public void close() {
            try {
                if (result != null) {
                    result.close();
                }
                inputs.values().forEach(OnnxTensor::close);
                session.close();
            } catch (OrtException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }
    }

    /** [batch, heads, length, dim] as [batch, length, heads · dim]. */
    private static Tensor headsInside(Tensor tensor) {
        return tensor.permute(0, 2, 1, 3)
                .contiguous()
                .reshape(tensor.size(0), tensor.size(2), tensor.size(1) * tensor.size(3));
    }

    /** 0 where a query attends, −∞ where it must not. */
    private static Tensor bias(Tensor mask) {
        Tensor bias = Tensor.zeros(DType.FLOAT32, mask.shape());
        FloatBuffer floats = bias.floats();
        boolean[] attend = mask.toBooleanArray();
        for (int n = 0; n < attend.length; n++) {
            floats.put(n, attend[n] ? 0 : Float.NEGATIVE_INFINITY);
        }
        return bias;
    }
}
