package dev.attention4j.onnx;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.Objects;
import java.util.Optional;

/**
 * The operator's inputs, by the standard's names except for Q, K and V.
 *
 * <pre>{@code
 * OnnxAttentionInputs.of(query, key, value).withAttnMask(mask).withPast(pastKey, pastValue)
 * }</pre>
 *
 * @param query Q: [batch, queryHeads, queryLength, headDim] or [batch, queryLength, queryHeads · headDim]
 * @param key K: [batch, keyValueHeads, keyLength, headDim] or [batch, keyLength, keyValueHeads · headDim], in the
 *     query's type
 * @param value V: [batch, keyValueHeads, keyLength, valueDim] or [batch, keyLength, keyValueHeads · valueDim]
 * @param attnMask BOOL, true = attend, or numbers to add to the scores; broadcast right-aligned to [batch, queryHeads,
 *     queryLength, totalLength], except for the last axis: if that is shorter, even 1, the keys after it may not be
 *     attended to
 * @param pastKey cached keys [batch, keyValueHeads, pastLength, headDim], which come before the new ones
 * @param pastValue cached values [batch, keyValueHeads, pastLength, valueDim], given if pastKey is
 * @param nonpadKvSeqlen INT64 [batch], the number of keys of each batch row, the others being padding; for a cache
 *     in key and value themselves, so without pastKey
 */
public record OnnxAttentionInputs(
        Tensor query,
        Tensor key,
        Tensor value,
        Optional<Tensor> attnMask,
        Optional<Tensor> pastKey,
        Optional<Tensor> pastValue,
        Optional<Tensor> nonpadKvSeqlen) {
    /** Refuses null. */
    public OnnxAttentionInputs {
        Objects.requireNonNull(query, "query");
        Objects.requireNonNull(key, "key");
        Objects.requireNonNull(value, "value");
        Objects.requireNonNull(attnMask, "attnMask");
        Objects.requireNonNull(pastKey, "pastKey");
        Objects.requireNonNull(pastValue, "pastValue");
        Objects.requireNonNull(nonpadKvSeqlen, "nonpadKvSeqlen");
    }

    /** Returns the inputs that every node has, without mask, past and lengths. */
    public static OnnxAttentionInputs of(Tensor query, Tensor key, Tensor value) {
        return new OnnxAttentionInputs(
                query, key, value, Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
    }

    /** Returns the same inputs with a mask: BOOL, or numbers to add. */
    public OnnxAttentionInputs withAttnMask(Tensor mask) {
        Optional<Tensor> given = Optional.of(Objects.requireNonNull(mask, "mask"));
        return new OnnxAttentionInputs(query, key, value, given, pastKey, pastValue, nonpadKvSeqlen);
    }

    /** Returns the same inputs with a cache of keys and values. */
    public OnnxAttentionInputs withPast(Tensor keys, Tensor values) {
        Objects.requireNonNull(keys, "keys");
        Objects.requireNonNull(values, "values");
        return new OnnxAttentionInputs(
                query, key, value, attnMask, Optional.of(keys), Optional.of(values), nonpadKvSeqlen);
    }

    /** Returns the same inputs with the number of keys of each batch row that are not padding. */
    public OnnxAttentionInputs withNonpadKvSeqlen(long... lengths) {
        Tensor tensor = Tensor.zeros(DType.INT64, lengths.length);
        tensor.bytes().asLongBuffer().put(lengths);
        return new OnnxAttentionInputs(query, key, value, attnMask, pastKey, pastValue, Optional.of(tensor));
    }
}
