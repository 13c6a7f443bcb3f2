package dev.attention4j.bench;

import dev.attention4j.DType;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One projection, a matrix product and a bias: {@code gemm:rows.in.out}.
 *
 * @param rows of the input
 * @param inputs columns of the input
 * @param outputs columns of the result
 */
public record GemmShape(int rows, int inputs, int outputs) implements Shape {
    static final String PREFIX = "gemm:";

    private static final Pattern SYNTAX = Pattern.compile(PREFIX + "(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})");

    /**
     * Reads one.
     *
     * @param text as the class says
     * @return the shape
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static GemmShape parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\", must be gemm:rows.in.out, such as gemm:4096.512.512");
        }
        GemmShape shape = new GemmShape(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)));
        if (shape.rows == 0 || shape.inputs == 0 || shape.outputs == 0) {
            throw new IllegalArgumentException("shape: \"" + text + "\" has a 0, every size must be 1 or more");
        }
        double most = Math.max(
                (double) shape.inputs * shape.outputs, (double) shape.rows * Math.max(shape.inputs, shape.outputs));
        if (Float.BYTES * most >= ShapeCase.MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, each tensor must be smaller than 2 GiB");
        }
        return shape;
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
