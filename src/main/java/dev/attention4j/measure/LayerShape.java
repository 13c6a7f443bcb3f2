package dev.attention4j.measure;

import dev.attention4j.DType;

/**
 * A multi-head attention layer on one input as query, key and value: {@code layer:B.T.width.heads}.
 *
 * @param length T, positions of each batch row
 * @param width of the input, of all heads together and of the output
 */
public record LayerShape(int batch, int length, int width, int heads) implements Shape {
    /** The first letters of one. */
    static final String PREFIX = "layer:";

    /** Reads one; an error names the text and the form. */
    public static LayerShape parse(String text) {
        int[] n = Shape.sizes(text, text, PREFIX, 4, 4, "layer:B.T.width.heads, such as layer:8.512.512.8");
        LayerShape shape = new LayerShape(n[0], n[1], n[2], n[3]);
        if (shape.width % shape.heads != 0) {
            throw Shape.refused(
                    text, " has a width of " + shape.width + ", must be a multiple of the " + shape.heads + " heads");
        }
        double most = Math.max(4.0 * shape.batch * shape.length * shape.width, 12.0 * shape.width * shape.width);
        Shape.checkBytes(text, "each tensor", most);
        return shape;
    }

    /** The width of one head. */
    public int headDim() {
        return width / heads;
    }

    @Override
    public double flops() {
        return 8.0 * batch * length * width * width + 4.0 * batch * length * length * width;
    }

    @Override
    public double bytes(DType dtype) {
        return 2.0 * batch * length * width * dtype.bytes() + 4.0 * Float.BYTES * width * width;
    }

    @Override
    public String sizes() {
        return PREFIX + batch + "." + length + "." + width + "." + heads;
    }

    @Override
    public String toString() {
        return sizes();
    }
}
