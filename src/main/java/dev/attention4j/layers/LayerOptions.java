package dev.attention4j.layers;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a layer computes, as its builder was told.
 *
 * @param queryHeads heads of query and output
 * @param keyValueHeads heads of key and value
 * @param keyDim width of a query or key head
 * @param valueDim width of a value head
 * @param hasBias whether every projection has a bias
 * @param hasGate whether heads are gated before the last projection
 * @param outputShape the output's axes after the positions'; empty for one as wide as the query's features
 * @param attentionAxes the axes attended over, of the inputs; empty for all but the first and the last
 * @param slidingWindow a query sees keys less than this far away; 0 for all
 * @param kernelInitializer of kernels
 * @param biasInitializer of biases
 * @param seed of the initialisers
 */
record LayerOptions(
        int queryHeads,
        int keyValueHeads,
        int keyDim,
        int valueDim,
        boolean hasBias,
        boolean hasGate,
        List<Integer> outputShape,
        List<Integer> attentionAxes,
        int slidingWindow,
        Initializer kernelInitializer,
        Initializer biasInitializer,
        long seed) {
    static final String KERNEL = ".kernel";
    static final String BIAS = ".bias";
    static final String QUERY = "query";
    static final String KEY = "key";
    static final String VALUE = "value";
    static final String GATE = "gate";
    static final String OUTPUT = "attention_output";

    /** How many features each input has. */
    record Widths(long query, long value, long key) {}

    /** A weight to be made. */
    static final class Weight {
        private final long[] shape;
        final long fanIn;
        final long fanOut;
        final Initializer initializer;

        private Weight(long[] shape, long fanIn, long fanOut, Initializer initializer) {
            this.shape = shape;
            this.fanIn = fanIn;
            this.fanOut = fanOut;
            this.initializer = initializer;
        }

        long[] shape() {
            return shape.clone();
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

    /** The output's axes after the positions'. */
    long[] outputAxes(Widths widths) {
        return outputShape.isEmpty()
                ? axes(widths.query())
                : outputShape.stream().mapToLong(Integer::longValue).toArray();
    }

    /** The options that are not the defaults. */
    String description() {
        return "[heads=" + queryHeads + (keyValueHeads == queryHeads ? "" : "/" + keyValueHeads) + ", keyDim=" + keyDim
                + (valueDim == keyDim ? "" : ", valueDim=" + valueDim)
                + (hasBias ? "" : ", no bias")
                + (hasGate ? ", gate" : "")
                + (outputShape.isEmpty() ? "" : ", outputShape=" + outputShape)
                + (attentionAxes.isEmpty() ? "" : ", attentionAxes=" + attentionAxes)
                + (slidingWindow == 0 ? "" : ", slidingWindow=" + slidingWindow) + "]";
    }

    private static long[] axes(long... sizes) {
        return sizes;
    }
}
