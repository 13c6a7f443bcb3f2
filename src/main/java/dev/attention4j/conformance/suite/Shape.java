package dev.attention4j.conformance.suite;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;

/** The sizes of a problem. */
record Shape(int batch, int heads, int keyValueHeads, int queries, int keys, int headDim, int valueDim) {
    static final int BATCH = 2;
    static final int HEADS = 4;
    static final int QUERIES = 19;
    static final int KEYS = 37;

    /** Grouped heads, and no size that is a multiple of a vector or tile; quick enough for an emulator. */
    static final Shape SMALL = new Shape(BATCH, HEADS, 2, QUERIES, KEYS, 18, 20);

    /** Operations of a call on that, more or less. */
    static final double SMALL_FLOPS = 5e5;

    AttentionProblem problem(Attention attention) {
        return problem(DType.FLOAT32, attention);
    }

    AttentionProblem problem(DType dtype, Attention attention) {
        return new AttentionProblem(batch, heads, keyValueHeads, queries, keys, headDim, valueDim, dtype, attention);
    }

    Shape withLengths(int newQueries, int newKeys) {
        return new Shape(batch, heads, keyValueHeads, newQueries, newKeys, headDim, valueDim);
    }

    Shape withHeads(int newHeads, int newKeyValueHeads) {
        return new Shape(batch, newHeads, newKeyValueHeads, queries, keys, headDim, valueDim);
    }

    Shape withWidths(int newHeadDim, int newValueDim) {
        return new Shape(batch, heads, keyValueHeads, queries, keys, newHeadDim, newValueDim);
    }

    Shape withBatch(int newBatch) {
        return new Shape(newBatch, heads, keyValueHeads, queries, keys, headDim, valueDim);
    }
}
