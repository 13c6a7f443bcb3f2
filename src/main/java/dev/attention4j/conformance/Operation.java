package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the cases of one {@code op} mean. A new op is one class, named in this interface's list. */
public interface Operation {
    /** All that are known to this version. */
    List<Operation> KNOWN = List.of(
            new AttentionOperation(),
            new OnnxAttentionOperation(),
            KerasOperation.multiHeadAttention(),
            KerasOperation.groupQueryAttention());

    /**
     * Finds an operation.
     *
     * @param op a case's {@link ConformanceCase#op()}
     * @return empty if it is not known to this version
     */
    static Optional<Operation> find(String op) {
        return KNOWN.stream().filter(known -> known.op().equals(op)).findFirst();
    }

    /**
     * Which cases this is for.
     *
     * @return the {@code op} in their metadata
     */
    String op();

    /**
     * Understands a case.
     *
     * @param conformanceCase of this op
     * @return the calls to make, at least one
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
        /** Copies the map. */
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

    /** Makes a call. */
    @FunctionalInterface
    interface Call {
        /**
         * Makes the call on an engine.
         *
         * @param engine open
         * @return what came out, at least what is expected
         */
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
