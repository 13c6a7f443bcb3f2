package dev.attention4j.conformance;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The op {@code attention}: a call of {@link AttentionEngine#attend}. */
final class AttentionOperation implements Operation {
    @Override
    public String op() {
        return AttentionCase.OP;
    }

    /**
     * Two calls where the case has weights: a plan that is picked because it can return weights is not the one that
     * plain calls are given, and both must be right.
     */
    @Override
    public List<Check> checks(ConformanceCase conformanceCase) throws FileFormatException {
        AttentionCase attention = AttentionCase.of(conformanceCase);
        Map<String, Tensor> plain = new LinkedHashMap<>(attention.expected());
        boolean hasWeights = plain.remove(AttentionCase.WEIGHTS) != null;
        List<Check> checks = new ArrayList<>();
        checks.add(check(attention, String.join(", ", plain.keySet()), plain));
        if (hasWeights) {
            checks.add(check(attention, AttentionCase.WEIGHTS, attention.expected()));
        }
        return checks;
    }

    private static Check check(AttentionCase attention, String what, Map<String, Tensor> expected) {
        Attention operation = attention.attention().toBuilder()
                .weights(expected.containsKey(AttentionCase.WEIGHTS))
                .logSumExp(expected.containsKey(AttentionCase.LOG_SUM_EXP))
                .build();
        Map<String, Expected> outputs = new LinkedHashMap<>();
        expected.forEach((name, want) -> outputs.put(name, expected(attention, name, want)));
        return new Check(what, outputs, engine -> call(engine, attention, operation));
    }

    /** The output comes in the query's type, the rest in float32. */
    private static Expected expected(AttentionCase attention, String name, Tensor want) {
        DType dtype = name.equals(AttentionCase.OUTPUT) ? attention.query().dtype() : DType.FLOAT32;
        return new Expected(want, dtype, Tolerance.of(dtype));
    }

    private static Computed call(AttentionEngine engine, AttentionCase attention, Attention operation) {
        AttentionResult result = engine.attend(attention.query(), attention.key(), attention.value(), operation);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put(AttentionCase.OUTPUT, result.output());
        if (operation.wantsWeights()) {
            outputs.put(AttentionCase.WEIGHTS, result.weights());
        }
        if (operation.wantsLogSumExp()) {
            outputs.put(AttentionCase.LOG_SUM_EXP, result.logSumExp());
        }
        return new Computed(result.plan(), outputs, result::close);
    }
}
