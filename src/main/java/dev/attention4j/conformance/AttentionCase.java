package dev.attention4j.conformance;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.Operation.Call;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A case of the op {@code attention}, understood: tensors to call an engine with, and what must come out.
 *
 * @param query [batch, queryHeads, queryLength, headDim]
 * @param key [batch, keyValueHeads, keyLength, headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim]
 * @param attention the operation, masks and bias included; asks for the weights and the log-sum-exp that the case has
 * @param outputGradient of a loss by the output, as the output; null if the case has no gradients
 * @param expected by name: {@link #OUTPUT} always; {@link #WEIGHTS}, {@link #LOG_SUM_EXP} and gradients where the case has them
 */
public record AttentionCase(
        String name,
        Tensor query,
        Tensor key,
        Tensor value,
        Attention attention,
        Tensor outputGradient,
        Map<String, Tensor> expected) {
    /** The {@code op} of these cases. */
    public static final String OP = "attention";

    /** The output's name in the file. */
    public static final String OUTPUT = "output.output";

    /** The weights' name in the file. */
    public static final String WEIGHTS = "output.weights";

    /** The log-sum-exp's name in the file. */
    public static final String LOG_SUM_EXP = "output.log_sum_exp";

    private static final String QUERY = "input.query";
    private static final String KEY = "input.key";
    private static final String VALUE = "input.value";
    private static final String MASK = "input.mask";
    private static final String BIAS = "input.bias";
    private static final String QUERY_MASK = "input.query_mask";
    private static final String OUTPUT_GRADIENT = "input.output_gradient";
    private static final String QUERY_GRADIENT = "output.query_gradient";
    private static final String KEY_GRADIENT = "output.key_gradient";
    private static final String VALUE_GRADIENT = "output.value_gradient";
    private static final String BIAS_GRADIENT = "output.bias_gradient";
    private static final List<String> RESULTS = List.of(OUTPUT, WEIGHTS, LOG_SUM_EXP);
    private static final List<String> GRADIENTS = List.of(QUERY_GRADIENT, KEY_GRADIENT, VALUE_GRADIENT, BIAS_GRADIENT);
    private static final List<String> TENSORS = Stream.of(
                    List.of(QUERY, KEY, VALUE, MASK, BIAS, QUERY_MASK, OUTPUT_GRADIENT), RESULTS, GRADIENTS)
            .flatMap(List::stream)
            .toList();

    /** Copies the map. */
    public AttentionCase {
        expected = Collections.unmodifiableMap(new LinkedHashMap<>(expected));
    }

    /**
     * Understands a case.
     *
     * @throws FileFormatException if the op is another, a tensor is missing or not known, an attribute is not known, or
     *     they do not fit each other; names it
     */
    public static AttentionCase of(CaseFile source) throws FileFormatException {
        String file = source.fileName();
        if (!source.op().equals(OP)) {
            throw new FileFormatException(
                    file, "op is " + FileFormatException.quoted(source.op()) + ", must be \"" + OP + "\"");
        }
        for (String tensor : source.tensors().keySet()) {
            if (!TENSORS.contains(tensor)) {
                throw new FileFormatException(
                        file,
                        "tensor " + FileFormatException.quoted(tensor) + " is not known to the op \"" + OP
                                + "\", must be one of " + TENSORS);
            }
        }
        Map<String, Tensor> expected = new LinkedHashMap<>();
        expected.put(OUTPUT, source.tensor(OUTPUT));
        for (List<String> names : List.of(RESULTS, GRADIENTS)) {
            names.forEach(tensor -> source.find(tensor).ifPresent(found -> expected.put(tensor, found)));
        }
        boolean hasGradients = GRADIENTS.stream().anyMatch(expected::containsKey);
        Tensor outputGradient = hasGradients ? source.tensor(OUTPUT_GRADIENT) : null;
        Tensor query = source.tensor(QUERY);
        Tensor key = source.tensor(KEY);
        Tensor value = source.tensor(VALUE);
        AttentionBuilder builder = AttentionAttributes.parse(source.metadata("attributes", null), file);
        try {
            Attention attention = builder.mask(source.find(MASK).orElse(null))
                    .bias(source.find(BIAS).orElse(null))
                    .queryMask(source.find(QUERY_MASK).orElse(null))
                    .weights(expected.containsKey(WEIGHTS))
                    .logSumExp(expected.containsKey(LOG_SUM_EXP))
                    .build();
            AttentionProblem.of(query, key, value, attention);
            return new AttentionCase(source.name(), query, key, value, attention, outputGradient, expected);
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(file, e.getMessage(), e);
        }
    }

    /**
     * Two calls where the case has weights: a plan that is picked because it can return weights is not the one that
     * plain calls are given, and both must be right. One more where it has gradients.
     */
    static List<Call> calls(CaseFile file) throws FileFormatException {
        AttentionCase attention = of(file);
        Map<String, Tensor> plain = new LinkedHashMap<>(attention.expected);
        plain.keySet().retainAll(RESULTS);
        Map<String, Tensor> withWeights = new LinkedHashMap<>(plain);
        boolean hasWeights = plain.remove(WEIGHTS) != null;
        List<Call> calls = new ArrayList<>();
        calls.add(attention.checked(String.join(", ", plain.keySet()), plain));
        if (hasWeights) {
            calls.add(attention.checked(WEIGHTS, withWeights));
        }
        if (attention.outputGradient != null) {
            calls.add(attention.gradients());
        }
        return calls;
    }

    private Call checked(String what, Map<String, Tensor> wanted) {
        Attention operation = attention.toBuilder()
                .weights(wanted.containsKey(WEIGHTS))
                .logSumExp(wanted.containsKey(LOG_SUM_EXP))
                .build();
        Map<String, Expected> outputs = new LinkedHashMap<>();
        wanted.forEach((tensor, want) -> {
            // The output comes in the query's type, the rest in float32.
            DType dtype = tensor.equals(OUTPUT) ? query.dtype() : DType.FLOAT32;
            outputs.put(tensor, new Expected(want, dtype, Tolerance.of(dtype)));
        });
        return new Call(what, outputs, engine -> call(engine, operation));
    }

    private Call gradients() {
        Map<String, Expected> wanted = new LinkedHashMap<>(); // all in float32
        GRADIENTS.stream()
                .filter(expected::containsKey)
                .forEach(tensor -> wanted.put(
                        tensor, new Expected(expected.get(tensor), DType.FLOAT32, Tolerance.of(query.dtype()))));
        return new Call(String.join(", ", wanted.keySet()), wanted, this::gradients);
    }

    private Computed gradients(AttentionEngine engine) {
        boolean ofBias = expected.containsKey(BIAS_GRADIENT);
        AttentionTape tape = engine.attendForGradients(query, key, value, attention);
        AttentionGradients gradients;
        try {
            gradients = tape.gradients(
                    outputGradient, ofBias ? GradientOptions.DEFAULT.withBias() : GradientOptions.DEFAULT);
        } catch (RuntimeException | Error e) {
            tape.close();
            throw e;
        }
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put(QUERY_GRADIENT, gradients.query());
        outputs.put(KEY_GRADIENT, gradients.key());
        outputs.put(VALUE_GRADIENT, gradients.value());
        if (ofBias) {
            outputs.put(BIAS_GRADIENT, gradients.bias());
        }
        // A report's column is the plan of the forward pass.
        return new Computed("", outputs, () -> {
            gradients.close();
            tape.close();
        });
    }

    private Computed call(AttentionEngine engine, Attention operation) {
        AttentionResult result = engine.attend(query, key, value, operation);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put(OUTPUT, result.output());
        if (operation.wantsWeights()) {
            outputs.put(WEIGHTS, result.weights());
        }
        if (operation.wantsLogSumExp()) {
            outputs.put(LOG_SUM_EXP, result.logSumExp());
        }
        return new Computed(result.plan(), outputs, result::close);
    }
}
