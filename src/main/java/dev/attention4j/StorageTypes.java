package dev.attention4j;

import java.util.Objects;

/**
 * The storage types of the tensors of an attention problem. Each may be FLOAT32, FLOAT16 or BFLOAT16, key and value also Q8_0 or
 * Q4_0, whatever the others are: keys and values of 16 bits under float32 queries halve a cache. Arithmetic is always float32 or better.
 *
 * @param query the type of query and output
 * @param key the type of key
 * @param value the type of value
 */
public record StorageTypes(DType query, DType key, DType value) {
    /**
     * Checks each type.
     *
     * @throws IllegalArgumentException naming the tensor whose type attention does not read
     */
    public StorageTypes {
        Objects.requireNonNull(query, "query").checkAttentionStorage("query");
        Objects.requireNonNull(key, "key").checkKeyValueStorage("key");
        Objects.requireNonNull(value, "value").checkKeyValueStorage("value");
    }

    /**
     * Returns one type for all tensors: FLOAT32, FLOAT16 or BFLOAT16.
     */
    public static StorageTypes of(DType dtype) {
        return new StorageTypes(dtype, dtype, dtype);
    }

    /** {@return true if query, key and value have one type} */
    public boolean isUniform() {
        return query == key && query == value;
    }

    // Written by hand: a record's own are linked at run time, which takes 10 ms of a first call.

    @Override
    public boolean equals(Object other) {
        return other instanceof StorageTypes types && query == types.query && key == types.key && value == types.value;
    }

    @Override
    public int hashCode() {
        return (query.hashCode() * 31 + key.hashCode()) * 31 + value.hashCode();
    }

    /** {@return {@code FLOAT32}, or {@code FLOAT32, key FLOAT16, value FLOAT16} if the types differ} */
    @Override
    public String toString() {
        return isUniform() ? query.toString() : query + ", key " + key + ", value " + value;
    }
}
