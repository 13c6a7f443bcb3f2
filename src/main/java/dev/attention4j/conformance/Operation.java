package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the cases of one {@code op} mean. */
@FunctionalInterface
interface Operation {
    /** All that this version knows, by the {@code op} in the cases' metadata. */
    Map<String, Operation> KNOWN = Map.of(
            AttentionCase.OP,
            AttentionCase::checks,
            OnnxAttentionCase.OP,
            OnnxAttentionCase::checks,
            KerasOperation.MULTI_HEAD,
            KerasOperation.multiHeadAttention(),
            KerasOperation.GROUP_QUERY,
            KerasOperation.groupQueryAttention());

    /**
     * Reads which calls a case makes, at least one.
     *
     * @throws FileFormatException if something is missing, unknown or contradictory; names it
     */
    List<Check> checks(ConformanceCase conformanceCase) throws FileFormatException;

    /**
     * A call and what must come out of it.
     *
     * @param what which outputs it is for, as a report names them
     * @param expected by name
     * @param call makes the call
     */
    record Check(String what, Map<String, Expected> expected, Call call) {
        public Check {
            expected = new LinkedHashMap<>(expected);
        }
    }

    /**
     * One output as it must be.
     *
     * @param want the numbers, in any type
     * @param dtype the type in which the engine must give them
     * @param tolerance how near they must be
     */
    record Expected(Tensor want, DType dtype, Tolerance tolerance) {}

    /** Makes a call on an open engine; the outputs have at least what is expected. */
    @FunctionalInterface
    interface Call {
        Computed on(AttentionEngine engine);
    }

    /**
     * What came out of a call.
     *
     * @param plan the plan that computed it
     * @param outputs by name, on the host
     * @param release gives the outputs back
     */
    record Computed(String plan, Map<String, Tensor> outputs, Runnable release) implements AutoCloseable {
        @Override
        public void close() {
            release.run();
        }
    }
}
