package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.tuner.ProjectionShape;

/**
 * One projection, a matrix product and a bias: {@code gemm:rows.in.out}.
 *
 * @param rows of the input
 * @param inputs columns of the input
 * @param outputs columns of the result
 */
public record GemmShape(int rows, int inputs, int outputs) implements Shape {
    static final String PREFIX = ProjectionShape.PREFIX;

    /**
     * Reads one.
     *
     * @param text as the class says
     * @return the shape
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static GemmShape parse(String text) {
        ProjectionShape read = ProjectionShape.parse(text);
        return new GemmShape(read.rows(), read.inputs(), read.outputs());
    }

    @Override
    public double flops(DType dtype) {
        return 2.0 * rows * inputs * outputs;
    }

    @Override
    public double bytes(DType dtype) {
        return (double) rows * (inputs + outputs) * dtype.bytes() + (double) Float.BYTES * inputs * outputs;
    }

    @Override
    public String sizes() {
        return PREFIX + rows + "." + inputs + "." + outputs;
    }

    /** As it is written in a list. */
    @Override
    public String toString() {
        return sizes();
    }
}
