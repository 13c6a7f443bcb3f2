package dev.attention4j.conformance.suite;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import java.util.function.Supplier;

/**
 * One case: something that every engine must get right.
 *
 * @param name {@code feature/what}, fit for a command line; the same name is the same case, number for number
 * @param flops floating-point operations of a call, more or less
 * @param valueDim the width of values, for which some plans build kernels of their own
 * @param dtype how queries, keys and values are stored, for which all plans do
 * @param draw draws tensors and computes what results are held to, once for all plans of an engine
 */
record SuiteCase(String name, double flops, int valueDim, DType dtype, Supplier<Check> draw) {
    /** A case that is stored as float32. */
    SuiteCase(String name, double flops, int valueDim, Supplier<Check> draw) {
        this(name, flops, valueDim, DType.FLOAT32, draw);
    }

    /** Puts a question to an open engine. */
    @FunctionalInterface
    interface Check {
        /**
         * What was found; whatever else is thrown is a failure.
         *
         * @throws dev.attention4j.UnsupportedPlanException if the plan refuses what is asked
         */
        Finding on(AttentionEngine engine);
    }
}
