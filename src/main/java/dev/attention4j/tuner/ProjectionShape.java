package dev.attention4j.tuner;

import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A projection to tune for, a matrix product and a bias: {@code gemm:rows.in.out}.
 *
 * @param rows of the input
 * @param inputs columns of the input
 * @param outputs columns of the result
 */
public record ProjectionShape(int rows, int inputs, int outputs) implements TuningShape {
    /** How one begins. */
    public static final String PREFIX = "gemm:";

    private static final Pattern SYNTAX = Pattern.compile(PREFIX + "(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})");

    /**
     * Reads one.
     *
     * @param text as the class says
     * @return the shape
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static ProjectionShape parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\", must be gemm:rows.in.out, such as gemm:2048.512.512");
        }
        ProjectionShape shape = new ProjectionShape(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)));
        if (shape.rows == 0 || shape.inputs == 0 || shape.outputs == 0) {
            throw new IllegalArgumentException("shape: \"" + text + "\" has a 0, every size must be 1 or more");
        }
        double most = Math.max(
                (double) shape.inputs * shape.outputs, (double) shape.rows * Math.max(shape.inputs, shape.outputs));
        if (Float.BYTES * most >= Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, each tensor must be smaller than 2 GiB");
        }
        return shape;
    }

    @Override
    public ProblemClass problems(DType dtype) {
        return ProblemClass.PROJECTIONS;
    }

    @Override
    public double flops() {
        return 2.0 * rows * inputs * outputs;
    }

    /** As it was written. */
    @Override
    public String toString() {
        return PREFIX + rows + "." + inputs + "." + outputs;
    }
}
