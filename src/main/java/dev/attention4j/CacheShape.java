package dev.attention4j;

import java.util.Objects;

/**
 * The sizes and types of a {@link KeyValueCache}.
 *
 * @param sequences how many texts are cached side by side, from 1; the batch of its tensors
 * @param keyValueHeads heads of key and value, from 1
 * @param capacity the most tokens of a sequence, from 1
 * @param headDim width of a key, from 1
 * @param valueDim width of a value, from 1
 * @param keyType how keys are stored: FLOAT32, FLOAT16, BFLOAT16, Q8_0 or Q4_0, whatever query and new keys are
 * @param valueType how values are stored, likewise
 */
public record CacheShape(
        int sequences, int keyValueHeads, int capacity, int headDim, int valueDim, DType keyType, DType valueType) {
    /**
     * Checks each number and type.
     *
     * @throws IllegalArgumentException naming what does not fit, what it was and what it must be
     */
    public CacheShape {
        check("sequences", sequences);
        check("keyValueHeads", keyValueHeads);
        check("capacity", capacity);
        check("headDim", headDim);
        check("valueDim", valueDim);
        Objects.requireNonNull(keyType, "keyType").checkKeyValueStorage("keyType");
        Objects.requireNonNull(valueType, "valueType").checkKeyValueStorage("valueType");
    }

    /**
     * Returns float32 keys and values of one width.
     *
     * @param sequences texts side by side
     * @param keyValueHeads heads of key and value
     * @param capacity the most tokens of a sequence
     * @param headDim width of a key and of a value
     * @return to be varied by {@link #withValueDim} and {@link #withTypes}
     */
    public static CacheShape of(int sequences, int keyValueHeads, int capacity, int headDim) {
        return new CacheShape(sequences, keyValueHeads, capacity, headDim, headDim, DType.FLOAT32, DType.FLOAT32);
    }

    /**
     * Returns the same with another width of values.
     *
     * @param width from 1
     * @return a new shape
     */
    public CacheShape withValueDim(int width) {
        return new CacheShape(sequences, keyValueHeads, capacity, headDim, width, keyType, valueType);
    }

    /**
     * Returns the same with other types.
     *
     * @param keys how keys are stored
     * @param values how values are stored
     * @return a new shape
     */
    public CacheShape withTypes(DType keys, DType values) {
        return new CacheShape(sequences, keyValueHeads, capacity, headDim, valueDim, keys, values);
    }

    private static void check(String name, int was) {
        if (was < 1 || was > AttentionProblem.MAX_LENGTH) {
            throw new IllegalArgumentException(
                    name + ": " + was + ", must be from 1 to " + AttentionProblem.MAX_LENGTH);
        }
    }
}
