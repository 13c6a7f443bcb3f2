package dev.attention4j.expression;

import dev.attention4j.expression.Parser.Parsed;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/** A parsed expression, before it is known which of its names are ints and which floats. Immutable. */
public final class Expression {
    /** The longest text. */
    public static final int MOST_CHARACTERS = 4096;
    /** The most parentheses, indices and signs within each other. */
    public static final int MOST_DEPTH = 64;
    /** The most operators, functions and reads of tables. */
    public static final int MOST_OPERATIONS = 512;

    private final Parsed parsed;
    private final String text;
    private final boolean isBoolean;

    private Expression(Parsed parsed) {
        this.parsed = parsed;
        text = parsed.syntax().text();
        if (text.length() > MOST_CHARACTERS) {
            throw new IllegalArgumentException("an expression whose canonical text has " + text.length()
                    + " characters, must have at most " + MOST_CHARACTERS);
        }
        // An int may stand wherever a float may: what is wrong with ints is wrong with any types.
        isBoolean = Checker.check(this, name -> Type.INT).root().type() == Type.BOOLEAN;
    }

    /**
     * Parses a text.
     *
     * @throws IllegalArgumentException if it is no expression; says where, what was found and what was expected
     */
    public static Expression parse(String text) {
        return new Expression(Parser.parse(Objects.requireNonNull(text, "text")));
    }

    /** {@return the canonical text, which is parsed to the same expression} */
    public String text() {
        return text;
    }

    /** {@return true if the value is true or false, not a number} */
    public boolean isBoolean() {
        return isBoolean;
    }

    /** {@return true if it reads a variable} */
    public boolean reads(Variable variable) {
        return Checker.check(this, name -> Type.INT).root().dependsOn(variable);
    }

    /** {@return the named numbers that it reads} */
    public Set<String> scalars() {
        Set<String> names = new TreeSet<>(parsed.names().keySet());
        names.removeIf(name -> parsed.names().get(name) > 0);
        return names;
    }

    /** {@return the tables that it reads} */
    public Set<String> tables() {
        Set<String> names = new TreeSet<>(parsed.names().keySet());
        names.removeIf(name -> parsed.names().get(name) == 0);
        return names;
    }

    /** {@return the number of indices of a table; 0 for a named number} */
    public int indices(String name) {
        return parsed.names().get(name);
    }

    Syntax syntax() {
        return parsed.syntax();
    }

    /** The indices of each name, in the order of first use. */
    Map<String, Integer> names() {
        return parsed.names();
    }

    Place place() {
        return parsed.place();
    }

    /** Returns the first column of a name. */
    int columnOf(String name) {
        return columnOf(name, parsed.syntax());
    }

    private static int columnOf(String name, Syntax syntax) {
        if (syntax.name().equals(name)) {
            return syntax.column();
        }
        int first = Integer.MAX_VALUE;
        for (Syntax input : syntax.inputs()) {
            first = Math.min(first, columnOf(name, input));
        }
        return first;
    }
}
