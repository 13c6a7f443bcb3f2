package dev.attention4j.expression;

import java.util.Optional;

/** A name that every expression may read. */
public enum Variable {
    /** The score after scale and softcap; in score expressions only. */
    SCORE("score", 1 << 0),
    /** The batch row. */
    BATCH("batch", 1 << 1),
    /** The query head. */
    HEAD("head", 1 << 2),
    /** The head of key and value that the query head reads. */
    KEY_VALUE_HEAD("keyValueHead", 1 << 3),
    /** The row of the query tensor. */
    QUERY("query", 1 << 4),
    /** The row of the key tensor. */
    KEY("key", 1 << 5),
    /** The position of the query among the keys. */
    POSITION("position", 1 << 6),
    /** The rows of the query tensor. */
    QUERY_LENGTH("queryLength", 1 << 7),
    /** The rows of the key tensor. */
    KEY_LENGTH("keyLength", 1 << 8);

    private final String text;
    private final int bit;

    Variable(String text, int bit) {
        this.text = text;
        this.bit = bit;
    }

    /** {@return the name in an expression} */
    public String text() {
        return text;
    }

    Type type() {
        return this == SCORE ? Type.FLOAT : Type.INT;
    }

    /** The bit of this variable in {@link Node#variables}. */
    int bit() {
        return bit;
    }

    static Optional<Variable> of(String name) {
        for (Variable variable : values()) {
            if (variable.text.equals(name)) {
                return Optional.of(variable);
            }
        }
        return Optional.empty();
    }
}
