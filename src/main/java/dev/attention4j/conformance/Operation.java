package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.util.List;
import java.util.Map;

/** The meaning of the files of one {@code op}. */
@FunctionalInterface
interface Operation {
    /**
     * Reads which calls a case makes, at least one.
     *
     * @throws FileFormatException if something is missing, unknown or contradictory; names it
     */
    List<Call> calls(CaseFile file) throws FileFormatException;

    /** A call and what must come out of it. */
    record Call(String what, Map<String, Expected> expected, Run run) {}

    /** Makes a call. */
    @FunctionalInterface
    interface Run {
        Computed on(AttentionEngine engine);
    }

    /** One output as it must be: the numbers, the type in which the engine must give them, and how near they must be. */
    record Expected(Tensor want, DType dtype, Tolerance tolerance) {}

    /** The outputs of a call on the host, by name, the plan that computed them, if any, and what gives them back. */
    record Computed(String plan, Map<String, Tensor> outputs, Runnable release) implements AutoCloseable {
        @Override
        public void close() {
            release.run();
        }
    }
}
