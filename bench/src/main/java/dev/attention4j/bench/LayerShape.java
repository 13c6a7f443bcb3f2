package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.tuner.AttentionSizes;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A multi-head attention layer on one input, query, key and value alike: {@code layer:B.T.width.heads}.
 *
 * @param batch B
 * @param length T, positions of each batch row
 * @param width of the input, of all heads together and of the output
 * @param heads a divisor of the width
 */
public record LayerShape(int batch, int length, int width, int heads) implements Shape {
    static final String PREFIX = "layer:";

    private static final Pattern SYNTAX = Pattern.compile(PREFIX + "(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})\\.(\\d{1,9})");

    /**
     * Reads one.
     *
     * @param text as the class says
     * @return the shape
     * @throws IllegalArgumentException that names the text and how a shape is written
     */
    public static LayerShape parse(String text) {
        Matcher matcher = SYNTAX.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\", must be layer:B.T.width.heads, such as layer:8.512.512.8");
        }
        LayerShape shape = new LayerShape(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)),
                Integer.parseInt(matcher.group(4)));
        shape.check(text);
        return shape;
    }

    private void check(String text) {
        if (batch == 0 || length == 0 || width == 0 || heads == 0) {
            throw new IllegalArgumentException("shape: \"" + text + "\" has a 0, every size must be 1 or more");
        }
        if (width % heads != 0) {
            throw new IllegalArgumentException("shape: \"" + text + "\" has a width of " + width
                    + ", must be a multiple of the " + heads + " heads");
        }
        if (Math.max(4.0 * batch * length * width, 12.0 * width * width) >= AttentionSizes.MOST_BYTES) {
            throw new IllegalArgumentException(
                    "shape: \"" + text + "\" is too large, each tensor must be smaller than 2 GiB");
        }
    }

    int headDim() {
        return width / heads;
    }

    @Override
    public double flops(DType dtype) {
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

    /** As it is written in a list. */
    @Override
    public String toString() {
        return sizes();
    }
}
