package dev.attention4j.bench.peer;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
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
final class OnnxRuntimePeer extends OnnxRuntime<Inputs> {
    OnnxRuntimePeer(int threads) {
        super(threads, "MultiHeadAttention");
    }

    @Override
    public Optional<String> refusal(Inputs inputs) {
        return super.refusal(inputs).or(() -> refusal(inputs.problem()));
    }

    private static Optional<String> refusal(AttentionProblem problem) {
        if (problem.queryHeads() != problem.keyValueHeads()) {
            return Optional.of("MultiHeadAttention has no grouped heads");
        }
        return problem.attention().isCausal() && problem.queryLength() != problem.keyLength()
                ? Optional.of("its unidirectional is not aligned top-left where the lengths differ")
                : Optional.empty();
    }

    @Override
    byte[] model(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        return OnnxModel.multiHeadAttention(
                problem.queryHeads(),
                problem.attention().isCausal(),
                inputs.shape().option().isTensor());
    }

    @Override
    Map<String, Tensor> tensors(Inputs inputs) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("query", headsInside(inputs.query()));
        tensors.put("key", headsInside(inputs.key()));
        tensors.put("value", headsInside(inputs.value()));
        inputs.maskTensor()
                .ifPresent(mask -> tensors.put("attention_bias", mask.dtype() == DType.BOOL ? bias(mask) : mask));
        return tensors;
    }

    @Override
    float[] result(Inputs inputs, float[] output) {
        return headsOutside(inputs.problem(), output);
    }

    /** The operator's output as [batch, heads, length, dim]. */
    static float[] headsOutside(AttentionProblem problem, float... output) {
        return Tensor.of(output, problem.batch(), problem.queryLength(), problem.queryHeads(), problem.valueDim())
                .permute(0, 2, 1, 3)
                .toFloatArray();
    }

    /** [batch, heads, length, dim] as [batch, length, heads · dim]. */
    static Tensor headsInside(Tensor tensor) {
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
