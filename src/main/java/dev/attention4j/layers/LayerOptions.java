package dev.attention4j.layers;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** The options of a layer. Builders write to theirs; a layer has a copy that does not change. */
final class LayerOptions implements Cloneable {
    static final String KERNEL = ".kernel";
    static final String BIAS = ".bias";
    static final String QUERY = "query";
    static final String KEY = "key";
    static final String VALUE = "value";
    static final String GATE = "gate";
    static final String OUTPUT = "attention_output";

    /** Heads of query and output, and of key and value. */
    int queryHeads;

    int keyValueHeads;
    /** Widths of a query or key head, and of a value head. */
    int keyDim;

    int valueDim;
    boolean hasBias = true;
    boolean hasGate;
    /** The output's axes after those of the positions; empty for one as wide as the query's features. */
    List<Integer> outputShape = List.of();
    /** The axes of the inputs that are attended over; empty for all but the first and the last. */
    List<Integer> attentionAxes = List.of();
    /** A query attends to keys less than this far away; 0 for all. */
    int slidingWindow;
    /** The share of weights that training drops. */
    double dropout;

    Initializer kernelInitializer = Initializer.GLOROT_UNIFORM;
    Initializer biasInitializer = Initializer.ZEROS;
    /** The seed of the initialisers; null until one is set or drawn. */
    Long seed;

    /** The number of features of each input. */
    record Widths(long query, long value, long key) {}

    /** A weight to be made. */
    @SuppressWarnings("ArrayRecordComponent") // They are never compared.
    record Weight(long[] shape, long fanIn, long fanOut, Initializer initializer) {}

    /** Returns a copy with a seed: the one set, or one that is drawn. */
    LayerOptions copy() {
        try {
            LayerOptions copy = (LayerOptions) clone();
            copy.seed = seed == null ? Long.valueOf(new SplittableRandom().nextLong()) : seed;
            return copy;
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
    }

    /** {@return every weight for inputs of these widths, by name, in the order in which they are initialised} */
    Map<String, Weight> weights(Widths widths) {
        Map<String, Weight> weights = new LinkedHashMap<>();
        add(QUERY, axes(widths.query()), axes(queryHeads, keyDim), weights);
        add(KEY, axes(widths.key()), axes(keyValueHeads, keyDim), weights);
        if (hasGate) {
            add(GATE, axes(widths.query()), axes(queryHeads, valueDim), weights);
        }
        add(VALUE, axes(widths.value()), axes(keyValueHeads, valueDim), weights);
        add(OUTPUT, axes(queryHeads, valueDim), outputAxes(widths), weights);
        return weights;
    }

    private void add(String projection, long[] inputs, long[] outputs, Map<String, Weight> weights) {
        long fanIn = AttendedAxes.product(inputs);
        long fanOut = AttendedAxes.product(outputs);
        weights.put(
                projection + KERNEL,
                new Weight(AttendedAxes.concat(inputs, outputs), fanIn, fanOut, kernelInitializer));
        if (hasBias) {
            weights.put(projection + BIAS, new Weight(outputs, fanIn, fanOut, biasInitializer));
        }
    }

    /** Returns the output's axes after those of the positions. */
    long[] outputAxes(Widths widths) {
        return outputShape.isEmpty()
                ? axes(widths.query())
                : outputShape.stream().mapToLong(Integer::longValue).toArray();
    }

    /** Describes the heads, and the options that are not the defaults. */
    String description() {
        return "[heads=" + queryHeads + (keyValueHeads == queryHeads ? "" : "/" + keyValueHeads) + ", keyDim=" + keyDim
                + (valueDim == keyDim ? "" : ", valueDim=" + valueDim)
                + (hasBias ? "" : ", no bias")
                + (hasGate ? ", gate" : "")
                + (outputShape.isEmpty() ? "" : ", outputShape=" + outputShape)
                + (attentionAxes.isEmpty() ? "" : ", attentionAxes=" + attentionAxes)
                + (slidingWindow == 0 ? "" : ", slidingWindow=" + slidingWindow)
                + (dropout == 0 ? "" : ", dropout=" + dropout) + "]";
    }

    private static long[] axes(long... sizes) {
        return sizes;
    }
}
