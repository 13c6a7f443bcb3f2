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

    /** Returns a variable that is the same for all keys of a query, from numbers that are counted in the part. */
    int of(Variable variable, int ofBatch, int ofHead, int ofKeyValueHead, int ofQuery, int position) {
        return switch (variable) {
            case BATCH -> batch + ofBatch;
            case HEAD -> head + ofHead;
            case KEY_VALUE_HEAD -> keyValueHead + ofKeyValueHead;
            case QUERY -> query + ofQuery;
            case POSITION -> position;
            case QUERY_LENGTH -> queryLength;
            case KEY_LENGTH -> keyLength;
            case SCORE, KEY -> throw new AssertionError(variable);
        };
    }
}
