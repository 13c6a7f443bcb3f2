package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.measure.Shape;

/** A shape and its tensors: what every contender of a shape computes. */
public interface Workload {
    /**
     * What was asked for.
     *
     * @return its sizes
     */
    Shape shape();

    /**
     * What the tensors are stored as.
     *
     * @return a float type
     */
    DType dtype();

    /**
     * Computes what the result must be, or samples of it; takes seconds.
     *
     * @return for the results of all contenders
     */
    Truth truth();

    /**
     * The useful operations of a call.
     *
     * @return above 0
     */
    default double flops() {
        return shape().flops();
    }
}
