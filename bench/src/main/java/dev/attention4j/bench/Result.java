package dev.attention4j.bench;

import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.tuning.StorageName;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A line of a report as {@code --json} writes it: one contender on one shape.
 *
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
                : Boolean.TRUE.equals(result.get("mask"))
                        ? ":mask"
                        : Stream.of("cache", "expression")
                                .filter(key -> result.get(key) != null)
                                .map(key -> ":" + result.get(key))
                                .findFirst()
                                .orElse("");
        String pass = result.get("pass") == null ? "" : ":" + result.get("pass");
        return new Result(
                Grid.parseList(result.get("shape") + suffix + pass).get(0),
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

    /** Says in words what a shape is: "Self-attention, 8 heads, 1,024 tokens, head dim 64, causal". */
    static final class ShapeWords {
        private ShapeWords() {}

        /** Returns a shape's words. */
        static String of(Shape shape) {
            List<String> words = new ArrayList<>();
            if (shape instanceof LayerShape layer) {
                words.add("Whole layer");
                words.add(number(layer.heads()) + " heads");
                words.add(number(layer.length()) + " tokens");
                words.add(number(layer.width()) + " wide");
                batch(layer.batch(), words);
            } else if (shape instanceof ProjectionShape gemm) {
                words.add("Projection");
                words.add(number(gemm.rows()) + " rows");
                words.add(number(gemm.inputs()) + " to " + number(gemm.outputs()) + " wide");
            } else {
                AttentionShape attention = (AttentionShape) shape;
                attention(attention, words);
                if (attention.isCausal()) {
                    words.add("causal");
                }
                if (attention.isMasked()) {
                    words.add("mask");
                }
                if (attention.option().isExpression()) {
                    words.add(attention.option().suffix().substring(1).replace('-', ' '));
                }
                if (attention.hasGradients()) {
                    words.add(attention.pass().name().toLowerCase(Locale.ROOT));
                }
                if (attention.isCached()) {
                    words.add(StorageName.of(attention.cache().type()) + " cache"
                            + (attention.cache().pageSize() == 0
                                    ? ""
                                    : " in pages of " + attention.cache().pageSize()));
                }
            }
            return String.join(", ", words);
        }

        private static void attention(AttentionShape sizes, List<String> words) {
            boolean self = sizes.queryLength() == sizes.keyLength();
            words.add(
                    self && sizes.keyLength() > 1
                            ? "Self-attention"
                            : sizes.queryLength() == 1 ? "Decoding one token" : "Cross-attention");
            words.add(number(sizes.queryHeads())
                    + (sizes.queryHeads() == 1 ? " head" : " heads")
                    + (sizes.keyValueHeads() == sizes.queryHeads() ? "" : " on " + number(sizes.keyValueHeads())));
            if (self && sizes.keyLength() > 1) {
                words.add(number(sizes.keyLength()) + " tokens");
            } else {
                if (sizes.queryLength() > 1) {
                    words.add(number(sizes.queryLength()) + " queries");
                }
                words.add(number(sizes.keyLength()) + (sizes.keyLength() == 1 ? " key" : " keys"));
            }
            words.add("head dim " + number(sizes.headDim())
                    + (sizes.valueDim() == sizes.headDim() ? "" : " to " + number(sizes.valueDim())));
            batch(sizes.batch(), words);
        }

        private static void batch(int batch, List<String> words) {
            if (batch > 1) {
                words.add("batch " + number(batch));
            }
        }

        private static String number(int number) {
            return String.format(Locale.ROOT, "%,d", number);
        }
    }
}
