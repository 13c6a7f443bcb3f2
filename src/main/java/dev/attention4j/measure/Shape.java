package dev.attention4j.measure;

import dev.attention4j.DType;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/** A shape to measure, as it is written on a command line: an attention, a layer around it, or one of a layer's projections. */
public sealed interface Shape permits AttentionShape, LayerShape, ProjectionShape {
    /** The sizes alone, as they are written in a list. */
    String sizes();

    /** The useful operations of a call, a multiply-add being two. */
    double flops();

    /** The bytes that a call must read and write at least, its tensors being stored as {@code dtype}. */
    double bytes(DType dtype);

    /** Returns true if keys after the query's position are masked. */
    default boolean isCausal() {
        return false;
    }

    /** Returns true if there is a boolean mask. */
    default boolean isMasked() {
        return false;
    }

    /** Returns true if keys and values are in a cache, to which the call appends. */
    default boolean isCached() {
        return false;
    }

    /**
     * Reads a comma-separated list; each shape once, in the order of the list.
     *
     * @param form how shapes are written, for errors
     * @param isTaken rejects shapes that the caller does not measure
     */
    static List<Shape> parseList(String list, String form, Predicate<Shape> isTaken) {
        Set<Shape> shapes = new LinkedHashSet<>();
        for (String entry : list.split(",", -1)) {
            String text = entry.strip();
            Shape shape = text.startsWith(LayerShape.PREFIX)
                    ? LayerShape.parse(text)
                    : text.startsWith(ProjectionShape.PREFIX)
                            ? ProjectionShape.parse(text)
                            : AttentionShape.parse(text, form);
            if (!isTaken.test(shape)) {
                throw refused(text, ", must be " + form);
            }
            shapes.add(shape);
        }
        return List.copyOf(shapes);
    }

    /** Reads the sizes in {@code part}, which dots separate after a prefix; {@code text} and {@code form} are for errors. */
    static int[] sizes(String text, String part, String prefix, int least, int most, String form) {
        if (!part.matches(prefix + "\\d{1,9}(\\.\\d{1,9}){" + (least - 1) + "," + (most - 1) + "}")) {
            throw refused(text, ", must be " + form);
        }
        int[] sizes = Arrays.stream(part.substring(prefix.length()).split("\\.", -1))
                .mapToInt(Integer::parseInt)
                .toArray();
        if (Arrays.stream(sizes).anyMatch(size -> size == 0)) {
            throw refused(text, " has a 0, every size must be 1 or more");
        }
        return sizes;
    }

    /** Refuses a shape with a tensor of 2 GiB or more, which host memory cannot hold in one piece. */
    static void checkBytes(String text, String what, double bytes) {
        if (bytes >= Integer.MAX_VALUE) {
            throw refused(text, " is too large, " + what + " must be smaller than 2 GiB");
        }
    }

    static IllegalArgumentException refused(String text, String why) {
        return new IllegalArgumentException("shape: \"" + text + "\"" + why);
    }
}
