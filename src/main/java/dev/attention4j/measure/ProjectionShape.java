package dev.attention4j.measure;

import dev.attention4j.DType;

/** A projection [rows, inputs] to [rows, outputs], a matrix product and a bias: {@code gemm:rows.in.out}. */
public record ProjectionShape(int rows, int inputs, int outputs) implements Shape {
    /** The first letters of one. */
    static final String PREFIX = "gemm:";

    /** Reads one; an error names the text and the form. */
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

    @Override
    public String toString() {
        return sizes();
    }
}
