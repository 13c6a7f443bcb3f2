package dev.attention4j.bench;

import dev.attention4j.measure.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A line of a report as {@code --json} writes it: one contender on one shape.
 *
 * @param shape as it is written in a list of shapes
 * @param engine who computed it
 * @param plan how
 * @param peer true unless it is this project's
 * @param ownChoice true where the engine takes this plan by itself
 * @param ms the median
 * @param gflops useful
 * @param ratio the best peer's median ÷ this one; NaN where no peer was timed
 */
record Result(
        Shape shape,
        String engine,
        String plan,
        boolean peer,
        boolean ownChoice,
        double ms,
        double gflops,
        double ratio) {
    /** Returns all results of a report. */
    static List<Result> list(Map<String, Object> report) {
        List<Result> results = new ArrayList<>();
        for (Object result : (List<?>) report.get("results")) {
            results.add(of((Map<?, ?>) result));
        }
        return results;
    }

    private static Result of(Map<?, ?> result) {
        String suffix = Boolean.TRUE.equals(result.get("causal"))
                ? ":causal"
                : Boolean.TRUE.equals(result.get("mask")) ? ":mask" : "";
        return new Result(
                Grid.parseList(result.get("shape") + suffix).get(0),
                String.valueOf(result.get("engine")),
                String.valueOf(result.get("plan")),
                Boolean.TRUE.equals(result.get("peer")),
                !Boolean.FALSE.equals(result.get("own_choice")),
                number(result.get("median_ms")),
                number(result.get("gflops")),
                number(result.get("ratio_to_best_peer")));
    }

    /** Returns true where a peer was timed on the same shape. */
    boolean hasRatio() {
        return !Double.isNaN(ratio);
    }

    /** Returns true for a device, false for plain Java and for peers. */
    boolean isOpenCl() {
        return engine.startsWith("opencl:");
    }

    /** Returns the shape as it is written in a list of shapes. */
    String name() {
        return shape.toString();
    }

    /** Returns the shape in words. */
    String words() {
        return ShapeWords.of(shape);
    }

    private static double number(Object number) {
        return number == null ? Double.NaN : ((Number) number).doubleValue();
    }
}
