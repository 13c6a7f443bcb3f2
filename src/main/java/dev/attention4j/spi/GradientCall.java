package dev.attention4j.spi;

import dev.attention4j.Attention;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.expression.Expressions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * A call of {@link dev.attention4j.AttentionEngine#gradients} whose arguments agree.
 *
 * @param problem of the call whose gradients these are
 * @param output of that call
 * @param logSumExp of that call
 * @param outputGradient of the output's shape
 */
public record GradientCall(
        AttentionProblem problem,
        Tensor query,
        Tensor key,
        Tensor value,
        Tensor output,
        Tensor logSumExp,
        Tensor outputGradient,
        GradientOptions options) {
    /**
     * Refuses what has no gradients, or does not fit.
     *
     * @throws IllegalArgumentException naming the argument, what it was and what it must be
     * @throws IllegalStateException if a tensor is closed, or the result has no log-sum-exp
     */
    public static GradientCall of(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient,
            GradientOptions options) {
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        Objects.requireNonNull(result, "result");
        Objects.requireNonNull(outputGradient, "outputGradient");
        Objects.requireNonNull(options, "options");
        if (attention.pageTable().isPresent()) {
            throw new IllegalArgumentException(
                    "pageTable: given, must be left out: keys and values in pages have no gradients");
        }
        TensorChecks.storage("key", key);
        TensorChecks.storage("value", value);
        check("result's output", result.output(), problem.outputShape(), problem.dtype());
        check("result's logSumExp", result.logSumExp(), problem.logSumExpShape(), DType.FLOAT32);
        check("outputGradient", outputGradient, problem.outputShape(), DType.FLOAT32, problem.dtype());
        options.logSumExpGradient()
                .ifPresent(tensor -> check("logSumExpGradient", tensor, problem.logSumExpShape(), DType.FLOAT32));
        wanted("bias", options.bias(), attention.bias().isPresent());
        wanted("sinks", options.sinks(), attention.sinks().length > 0);
        wanted("alibiSlopes", options.alibiSlopes(), attention.alibiSlopes().length > 0);
        if (attention.expressions().changeScores()) {
            attention.expressions().derivative();
        }
        options.parameters().forEach(attention.expressions()::reads);
        return new GradientCall(
                problem, query, key, value, result.output(), result.logSumExp(), outputGradient, options);
    }

    private static void check(String name, Tensor tensor, long[] shape, DType... types) {
        TensorChecks.open(name, tensor);
        if (!Arrays.asList(types).contains(tensor.dtype())) {
            throw new IllegalArgumentException(name + ": type " + tensor.dtype() + ", must be " + types[0]
                    + (types.length > 1 && types[1] != types[0] ? " or " + types[1] + " as the output has" : ""));
        }
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must be "
                    + Arrays.toString(shape) + TensorChecks.differs(tensor, shape));
        }
    }

    private static void wanted(String name, boolean wanted, boolean given) {
        if (wanted && !given) {
            throw new IllegalArgumentException(
                    "options: want the gradient of " + name + ", but the operation has none: must be left out");
        }
    }

    /** Returns the problem whose score expression is the derivative of this one's by the score. */
    public AttentionProblem derivative() {
        return with(problem.attention().expressions().derivative());
    }

    /** Returns the problem with other expressions. */
    public AttentionProblem with(Expressions expressions) {
        return new AttentionProblem(
                problem.batch(),
                problem.queryHeads(),
                problem.keyValueHeads(),
                problem.queryLength(),
                problem.keyLength(),
                problem.headDim(),
                problem.valueDim(),
                problem.storage(),
                problem.attention().toBuilder().expressions(expressions).build());
    }

    /** Returns the shape of the bias; empty without one. */
    public long[] biasShape() {
        return problem.attention().bias().map(Tensor::shape).orElse(new long[0]);
    }

    /** Returns the elements from one batch row, head, query and key to the next in a row-major bias; 0 where it is repeated. */
    public static int[] biasStrides(AttentionProblem problem) {
        int[] strides = new int[4];
        Tensor bias = problem.attention().bias().orElse(null);
        int stride = 1;
        for (int axis = 3; bias != null && axis >= 4 - bias.rank(); axis--) {
            int size = (int) bias.size(axis - 4 + bias.rank());
            strides[axis] = size == 1 ? 0 : stride;
            stride *= size;
        }
        return strides;
    }

    /** Returns which of the ALiBi slopes a head of a sequence has. */
    public static int slope(AttentionProblem problem, int sequence, int head) {
        int heads = problem.queryHeads();
        return (problem.attention().alibiSlopes().length == heads ? 0 : sequence * heads) + head;
    }

    /**
     * Makes the gradients of numbers in memory, row-major.
     *
     * @param bias null if not wanted, as are the others after it
     */
    public AttentionGradients gradients(
            float[] query,
            float[] key,
            float[] value,
            float[] bias,
            float[] sinks,
            float[] alibiSlopes,
            Map<String, float[]> parameters,
            String plan) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (String name : options.parameters()) {
            int[] shape = problem.attention().expressions().shape(name);
            tensors.put(
                    name,
                    Tensor.of(
                            parameters.get(name),
                            Arrays.stream(shape).asLongStream().toArray()));
        }
        return new AttentionGradients(
                Tensor.of(query, this.query.shape()),
                Tensor.of(key, this.key.shape()),
                Tensor.of(value, this.value.shape()),
                options.bias() ? Tensor.of(bias, biasShape()) : null,
                options.sinks() ? Tensor.of(sinks, sinks.length) : null,
                options.alibiSlopes() ? Tensor.of(alibiSlopes, alibiSlopes.length) : null,
                tensors,
                plan);
    }
}
