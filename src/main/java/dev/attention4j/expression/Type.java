package dev.attention4j.expression;

/** The type of a part of an expression. */
public enum Type {
    /** 32 bits, two's complement. */
    INT,
    /** IEEE 754 binary32. */
    FLOAT,
    /** True or false. */
    BOOLEAN;

    /** The name as errors give it. */
    String text() {
        return switch (this) {
            case INT -> "an int";
            case FLOAT -> "a float";
            case BOOLEAN -> "a boolean";
        };
    }

    boolean isNumber() {
        return this != BOOLEAN;
    }
}
