package dev.attention4j.bench;

import dev.attention4j.DType;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What can be asked for in a list of shapes: attention, a layer around it, or one of a layer's projections. */
public sealed interface Shape permits ShapeCase, LayerShape, GemmShape {
    /**
     * The sizes alone.
     *
     * @return as they are written in a list
     */
    String sizes();

    /**
     * Whether keys beyond the query's position are masked.
     *
     * @return true only of attention
     */
    default boolean isCausal() {
        return false;
    }

    /**
     * Whether there is a boolean mask.
     *
     * @return true only of attention
     */
    default boolean isMasked() {
        return false;
    }

    /**
     * The useful operations of a call, a multiply-add being two.
     *
     * @param dtype what the tensors are stored as
     * @return above 0
     */
    double flops(DType dtype);

    /**
     * What a call must read and write at least.
     *
     * @param dtype what the tensors are stored as
     * @return above 0
     */
    double bytes(DType dtype);

    /**
     * Reads a comma-separated list.
     *
     * @param list shapes, and {@link ShapeCase#GRID_WORD} for those of the grid
     * @return each shape once, in the order of the list
     * @throws IllegalArgumentException that names the shape which does not parse, and how one is written
     */
    static List<Shape> parseList(String list) {
        Set<Shape> shapes = new LinkedHashSet<>();
        for (String entry : list.split(",", -1)) {
            String text = entry.strip();
            if (text.equals(ShapeCase.GRID_WORD)) {
                shapes.addAll(ShapeCase.GRID);
            } else if (text.startsWith(LayerShape.PREFIX)) {
                shapes.add(LayerShape.parse(text));
            } else if (text.startsWith(GemmShape.PREFIX)) {
                shapes.add(GemmShape.parse(text));
            } else {
                shapes.add(ShapeCase.parse(text));
            }
        }
        return new ArrayList<>(shapes);
    }
}
