package dev.attention4j.expression;

import java.util.Optional;

/** An operation of the language. */
enum Op {
    LITERAL("", 9),
    VARIABLE("", 9),
    /** A named number. */
    SCALAR("", 9),
    /** An element of a named table. */
    ELEMENT("", 9),

    NEGATE("-", 8),
    NOT("!", 8),
    TO_INT("(int) ", 8),
    TO_FLOAT("(float) ", 8),

    MULTIPLY("*", 7),
    DIVIDE("/", 7),
    REMAINDER("%", 7),
    ADD("+", 6),
    SUBTRACT("-", 6),
    LESS("<", 5),
    LESS_EQUAL("<=", 5),
    GREATER(">", 5),
    GREATER_EQUAL(">=", 5),
    EQUAL("==", 4),
    NOT_EQUAL("!=", 4),
    AND("&&", 3),
    OR("||", 2),
    CHOOSE("?", 1),

    ABS("abs", 1, 9),
    MIN("min", 2, 9),
    MAX("max", 2, 9),
    CLAMP("clamp", 3, 9),
    EXP("exp", 1, 9),
    LOG("log", 1, 9),
    TANH("tanh", 1, 9),
    SQRT("sqrt", 1, 9),
    POW("pow", 2, 9),
    FLOOR("floor", 1, 9);

    final String text;
    /** 0 for what is no function. */
    final int arguments;

    final int precedence;

    Op(String text, int precedence) {
        this(text, 0, precedence);
    }

    Op(String text, int arguments, int precedence) {
        this.text = text;
        this.arguments = arguments;
        this.precedence = precedence;
    }

    boolean isFunction() {
        return arguments > 0;
    }

    boolean isBinary() {
        return precedence >= 2 && precedence <= 7;
    }

    boolean isComparison() {
        return precedence == 4 || precedence == 5;
    }

    static Optional<Op> function(String name) {
        for (Op op : values()) {
            if (op.isFunction() && op.text.equals(name)) {
                return Optional.of(op);
            }
        }
        return Optional.empty();
    }

    static Optional<Op> binary(String text) {
        for (Op op : values()) {
            if (op.isBinary() && op.text.equals(text)) {
                return Optional.of(op);
            }
        }
        return Optional.empty();
    }
}
