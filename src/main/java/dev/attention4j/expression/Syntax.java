package dev.attention4j.expression;

import java.util.List;

/**
 * A part of an expression as it was written.
 *
 * @param column of its operator or name, from 1
 * @param type of a literal; null for what is none
 * @param bits of a literal
 * @param name of a variable, scalar or table; else empty
 */
record Syntax(Op op, int column, Type type, int bits, String name, List<Syntax> inputs) {
    static Syntax literal(int column, Type type, int bits) {
        return new Syntax(Op.LITERAL, column, type, bits, "", List.of());
    }

    static Syntax name(Op op, int column, String name, List<Syntax> indices) {
        return new Syntax(op, column, null, 0, name, indices);
    }

    static Syntax of(Op op, int column, Syntax... inputs) {
        return new Syntax(op, column, null, 0, "", List.of(inputs));
    }

    /** Returns the canonical text: parsed again, it gives the same tree. */
    String text() {
        StringBuilder text = new StringBuilder();
        write(text);
        return text.toString();
    }

    private void write(StringBuilder text) {
        switch (op) {
            case LITERAL -> text.append(Literals.text(type, bits));
            case VARIABLE, SCALAR -> text.append(name);
            case ELEMENT -> {
                text.append(name);
                inputs.forEach(index -> {
                    text.append('[');
                    index.write(text);
                    text.append(']');
                });
            }
            case NEGATE, NOT, TO_INT, TO_FLOAT -> {
                text.append(op.text);
                // Two signs one after another would be another operator in C.
                text.append(op == Op.NEGATE && inputs.get(0).op == Op.NEGATE ? " " : "");
                inputs.get(0).write(text, op.precedence);
            }
            case CHOOSE -> {
                inputs.get(0).write(text, op.precedence + 1);
                text.append(" ? ");
                inputs.get(1).write(text);
                text.append(" : ");
                inputs.get(2).write(text);
            }
            default -> {
                if (op.isFunction()) {
                    text.append(op.text).append('(');
                    for (int n = 0; n < inputs.size(); n++) {
                        text.append(n == 0 ? "" : ", ");
                        inputs.get(n).write(text);
                    }
                    text.append(')');
                } else {
                    inputs.get(0).write(text, op.precedence);
                    text.append(' ').append(op.text).append(' ');
                    inputs.get(1).write(text, op.precedence + 1);
                }
            }
        }
    }

    /** Writes in parentheses what binds less than {@code least}. */
    private void write(StringBuilder text, int least) {
        boolean parentheses = op.precedence < least;
        text.append(parentheses ? "(" : "");
        write(text);
        text.append(parentheses ? ")" : "");
    }
}
