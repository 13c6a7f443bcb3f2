package dev.attention4j.bench;

import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The shapes that figures are published for. */
public final class Grid {
    /** The word for all of them in a list of shapes. */
    static final String WORD = "grid";

    /** The grid, in order. */
    static final List<AttentionShape> SHAPES = Stream.concat(
                    Stream.of(
                                    "4.8.8.1024.1024.64",
                                    "1.8.8.4096.4096.64",
                                    "2.8.8.2048.2048.128",
                                    "1.32.32.1024.1024.128",
                                    "8.12.12.512.512.64",
                                    "1.12.12.128.128.32",
                                    "1.16.16.1024.1024.256",
                                    "1.8.8.3001.3001.80")
                            .flatMap(both -> Stream.of(both, both + ":causal")),
                    Stream.of(
                            "1.32.8.2048.2048.128:causal",
                            "8.8.8.1.4096.64",
                            "1.32.32.1.16384.128",
                            "4.8.8.1024.1024.64:mask",
                            "1.4.4.4096.4096.512",
                            "1.1.1.1.1.64",
                            "1.8.8.16.16.64",
                            "1.2.2.64.64.64",
                            "1.16.16.77.77.64"))
            .map(AttentionShape::parse)
            .toList();

    private Grid() {}

    /** Reads a comma-separated list of shapes and {@link #WORD}s; each shape once, in the order of the list. */
    public static List<Shape> parseList(String list) {
        Set<Shape> shapes = new LinkedHashSet<>();
        Arrays.stream(list.split(",", -1))
                .map(String::strip)
                .forEach(entry -> shapes.addAll(
                        entry.equals(WORD) ? SHAPES : Shape.parseList(entry, AttentionShape.FORM, shape -> true)));
        return new ArrayList<>(shapes);
    }
}
