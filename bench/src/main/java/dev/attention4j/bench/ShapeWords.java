package dev.attention4j.bench;

import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says in words what a shape is: "Self-attention, 8 heads, 1,024 tokens, head dim 64, causal". */
final class ShapeWords {
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
