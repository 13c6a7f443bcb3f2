package dev.attention4j.expression;

/**
 * The place of a part of a call in the whole, which expressions count in: the first batch row, heads and query of the part, and
 * the lengths of the whole.
 */
public record Origin(int batch, int head, int keyValueHead, int query, int queryLength, int keyLength) {
    /** Returns the origin of a whole call. */
    public static Origin of(int queryLength, int keyLength) {
        return new Origin(0, 0, 0, 0, queryLength, keyLength);
    }
}
