package dev.attention4j;

import dev.attention4j.expression.Expression;
import java.util.Set;

/**
 * A formula for scores or for a mask, in a small language that is common to Java and OpenCL C: {@code "score - slope[head] *
 * abs(position - key)"} or {@code "document[query] == document[key] && key <= position"}. Every engine computes it; a device
 * compiles it into its kernels. Immutable; equal if the canonical texts are.
 *
 * <p>An expression reads, for each pair of query and key,
 *
 * <ul>
 *   <li>{@code score}, the float scale · query · key after softcap (not in masks);
 *   <li>the ints {@code batch}, {@code head}, {@code keyValueHead}, {@code query} and {@code key}, counted in the tensors;
 *   <li>{@code position}, the int position of the query among the keys, as for causal and window;
 *   <li>{@code queryLength} and {@code keyLength}, the lengths of the tensors;
 *   <li>named numbers and tables of its {@link ScoreParameters}: {@code slope}, {@code slope[head]}, {@code bias[query][key]}.
 * </ul>
 *
 * <p>Operators are {@code + - * / %}, {@code < <= > >= == !=}, {@code && || !} and {@code ?:}, functions {@code abs min max exp
 * log tanh sqrt pow floor clamp}, casts {@code (int)} and {@code (float)}, and literals {@code 1}, {@code 0.5}, {@code true},
 * {@code false} and {@code infinity}. Types are int, float (32 bits) and boolean; an int becomes a float where it meets one, and
 * {@code 7 / 2} is 3, as in Java and C.
 *
 * <p>Everything is defined, and the same on every engine: int arithmetic wraps around; an int divided by 0 is 0, as is its
 * remainder; a cast to int truncates, gives the least or largest int beyond them, and 0 of NaN; {@code min} and {@code max} of
 * floats are NaN if an argument is; an index outside of its table becomes the nearest that is in it, but a table indexed by a
 * variable alone must be long enough for it. A comparison that does not depend on the score is decided in float.
 */
public final class ScoreExpression {
    /** The longest text. */
    public static final int MAX_LENGTH = Expression.MOST_CHARACTERS;

    /** The most parentheses, indices and signs within each other. */
    public static final int MAX_DEPTH = Expression.MOST_DEPTH;

    /** The most operators, functions and reads of tables. */
    public static final int MAX_OPERATIONS = Expression.MOST_OPERATIONS;

    private final Expression expression;

    private ScoreExpression(Expression expression) {
        this.expression = expression;
    }

    /**
     * Parses an expression.
     *
     * @param text at most {@link #MAX_LENGTH} characters
     * @throws IllegalArgumentException if it is none; says the column, what was found and what was expected
     */
    public static ScoreExpression parse(String text) {
        return new ScoreExpression(Expression.parse(text));
    }

    static ScoreExpression of(Expression expression) {
        return new ScoreExpression(expression);
    }

    Expression expression() {
        return expression;
    }

    /** {@return true if the value is true or false, as a mask's must be; false if it is a number} */
    public boolean isBoolean() {
        return expression.isBoolean();
    }

    /** {@return the names of the single numbers that it reads, in alphabetical order} */
    public Set<String> scalars() {
        return expression.scalars();
    }

    /** {@return the names of the tables that it reads, in alphabetical order} */
    public Set<String> tables() {
        return expression.tables();
    }

    /**
     * Returns the number of indices that a table is read by, which is the number of its axes.
     *
     * @throws IllegalArgumentException if there is no such table
     */
    public int indices(String table) {
        if (!tables().contains(table)) {
            throw new IllegalArgumentException("table: \"" + table + "\", must be one of " + tables());
        }
        return expression.indices(table);
    }

    /**
     * Returns a mask that is true where both this and another are.
     *
     * @throws IllegalArgumentException if one of them is a number, or they are too long together
     */
    public ScoreExpression and(ScoreExpression other) {
        return parse("(" + this + ") && (" + other + ")");
    }

    /**
     * Returns a mask that is true where this or another is.
     *
     * @throws IllegalArgumentException if one of them is a number, or they are too long together
     */
    public ScoreExpression or(ScoreExpression other) {
        return parse("(" + this + ") || (" + other + ")");
    }

    /** {@return the canonical text} */
    @Override
    public String toString() {
        return expression.text();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ScoreExpression expr && expr.toString().equals(toString());
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }
}
