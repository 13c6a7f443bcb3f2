package dev.attention4j.measure;

import dev.attention4j.DType;

/**
 * A projection, a matrix product and a bias: {@code gemm:rows.in.out}.
 *
 * @param rows of the input
 * @param inputs columns of the input
 * @param outputs columns of the result
 */
public record ProjectionShape(int rows, int inputs, int outputs) implements Shape {
    /** How one begins. */
    static final String PREFIX = "gemm:";

    /**
     * Reads one.
     *
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static ProjectionShape parse(String text) {
        int[] n = Shape.sizes(text, text, PREFIX, 3, 3, "gemm:rows.in.out, such as gemm:2048.512.512");
        double most = Math.max((double) n[1] * n[2], (double) n[0] * Math.max(n[1], n[2]));
        Shape.checkBytes(text, "each tensor", Float.BYTES * most);
        return new ProjectionShape(n[0], n[1], n[2]);
    }

    @Override
    public double flops() {
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
