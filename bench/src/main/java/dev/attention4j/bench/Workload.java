package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.measure.Shape;

/** A shape and its tensors: what every contender of a shape computes. */
public interface Workload {
    /** The shape that was asked for. */
    Shape shape();

    /** The storage type of the tensors. */
    DType dtype();

    /** Computes what the result must be, or samples of it; takes seconds. */
    ExpectedResult expected();

    /** The useful operations of a call. */
    default double flops() {
        return shape().flops();
    }
}
