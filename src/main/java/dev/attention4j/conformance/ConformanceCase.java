package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import java.io.IOException;
import java.util.Optional;

/**
 * One case: something that every engine must get right, drawn or read from a file.
 *
 * @param name {@code feature/what}, fit for a command line; the same name is the same case, number for number. Of a case
 *     from a file: the file
 * @param flops floating-point operations of a call, more or less
 * @param valueDim the width of values, for which some plans build kernels of their own
 * @param dtype the type of queries, keys and values, for which all plans build their own
 * @param source draws or reads the case, once for all plans of an engine
 */
public record ConformanceCase(String name, double flops, int valueDim, DType dtype, Source source) {
    /** Draws tensors and computes the expected results, or reads both. */
    @FunctionalInterface
    public interface Source {
        /** Returns the check to run; an {@link IOException} or an unchecked one says why there is none. */
        Check get() throws IOException;
    }

    /** Puts a question to an open engine. */
    @FunctionalInterface
    public interface Check {
        /**
         * Checks the engine; whatever else is thrown is a failure.
         *
         * @throws dev.attention4j.UnsupportedPlanException if the plan refuses the call
         */
        Finding on(AttentionEngine engine);

        /** Returns the name that a report shows instead of the case's, if the case has another. */
        default Optional<String> name() {
            return Optional.empty();
        }
    }
}
