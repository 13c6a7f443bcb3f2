package dev.attention4j.bench.peer;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * ONNX Runtime's {@code com.microsoft.GroupQueryAttention} on the CPU, which is always causal: a whole causal text, or
 * a decoding step, whose keys but the last are in its cache. Layouts are as {@link OnnxRuntimePeer}'s.
 *
 * <p>The cache is one buffer for past and present, as a program that decodes has it, so that no step copies it.
 */
final class OnnxRuntimeGroupQuery extends OnnxRuntime<Inputs> {
    OnnxRuntimeGroupQuery(int threads) {
        super(threads, "GroupQueryAttention");
    }

    @Override
    public Optional<String> refusal(Inputs inputs) {
        return super.refusal(inputs).or(() -> refusalOf(inputs));
    }

    private static Optional<String> refusalOf(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        if (problem.headDim() != problem.valueDim()) {
            return Optional.of("GroupQueryAttention has one width for keys and values");
        }
        if (inputs.shape().option().isTensor()) {
            return Optional.of("GroupQueryAttention is compared without a mask");
        }
        if (isStep(inputs) && problem.queryLength() > 1 && problem.batch() > 1) {
            return Optional.of("GroupQueryAttention continues several texts by one token each, or one text");
        }
        boolean wholeText = problem.attention().isCausal() && problem.queryLength() == problem.keyLength();
        return wholeText || isStep(inputs)
                ? Optional.empty()
                : Optional.of("GroupQueryAttention is always causal, and its lengths equal but for a decoding step");
    }

    /** The last tokens of a text whose others are cached; a single query that attends to all keys is one. */
    private static boolean isStep(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        return problem.queryLength() < problem.keyLength()
                && (inputs.shape().isCached()
                        || (problem.queryLength() == 1 && !problem.attention().isCausal()));
    }

    @Override
    byte[] model(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        return OnnxModel.groupQueryAttention(problem.queryHeads(), problem.keyValueHeads(), isStep(inputs));
    }

    @Override
    Map<String, Tensor> tensors(Inputs inputs) {
        AttentionProblem problem = inputs.problem();
        int keys = problem.keyLength();
        int from = isStep(inputs) ? keys - problem.queryLength() : 0;
        int[] last = new int[problem.batch()];
        Arrays.fill(last, keys - 1);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("query", OnnxRuntimePeer.headsInside(inputs.query()));
        tensors.put("key", OnnxRuntimePeer.headsInside(inputs.key().slice(2, from, keys)));
        tensors.put("value", OnnxRuntimePeer.headsInside(inputs.value().slice(2, from, keys)));
        tensors.put("seqlens_k", integers(last));
        tensors.put("total_sequence_length", integers(keys));
        if (isStep(inputs)) {
            tensors.put("past_key", copy(inputs.key()));
            tensors.put("past_value", copy(inputs.value()));
        }
        return tensors;
    }

    @Override
    Map<String, String> shared(Inputs inputs) {
        return isStep(inputs) ? Map.of("present_key", "past_key", "present_value", "past_value") : Map.of();
    }

    @Override
    float[] result(Inputs inputs, float[] output) {
        return OnnxRuntimePeer.headsOutside(inputs.problem(), output);
    }

    private static Tensor integers(int... numbers) {
        Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
        tensor.bytes().asIntBuffer().put(numbers);
        return tensor;
    }

    /** The inputs are every contender's, and the last key is written into its place anew. */
    private static Tensor copy(Tensor tensor) {
        Tensor copy = Tensor.zeros(DType.FLOAT32, tensor.shape());
        FloatBuffer floats = copy.floats();
        floats.put(tensor.floats());
        return copy;
    }
}
