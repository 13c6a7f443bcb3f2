package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A word, number or sign of an expression.
 *
 * @param column from 1
 */
record Token(Kind kind, String text, int column) {
    enum Kind {
        NAME,
        INT,
        FLOAT,
        SIGN,
        END
    }

    /** The longest name or number. */
    static final int MOST_CHARACTERS = 64;

    private static final Pattern SPACE = Pattern.compile("[ \\t\\r\\n]+");
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    private static final Pattern NUMBER =
            Pattern.compile("(?:[0-9]+(\\.[0-9]*)?|(\\.[0-9]+))([eE][+-]?[0-9]+)?([fF])?");
    private static final Pattern SIGN = Pattern.compile("<=|>=|==|!=|&&|\\|\\||[-+*/%<>!?:()\\[\\],]");

    static List<Token> of(String text) {
        List<Token> tokens = new ArrayList<>();
        Matcher matcher = Pattern.compile("").matcher(text);
        int at = 0;
        while (at < text.length()) {
            int column = at + 1;
            matcher.region(at, text.length());
            Kind kind = null;
            if (!matcher.usePattern(SPACE).lookingAt()) {
                if (matcher.usePattern(NAME).lookingAt()) {
                    kind = Kind.NAME;
                } else if (matcher.usePattern(NUMBER).lookingAt()) {
                    boolean whole = matcher.group(1) == null
                            && matcher.group(2) == null
                            && matcher.group(3) == null
                            && matcher.group(4) == null;
                    kind = whole ? Kind.INT : Kind.FLOAT;
                } else if (matcher.usePattern(SIGN).lookingAt()) {
                    kind = Kind.SIGN;
                } else {
                    throw Place.refusal(
                            column,
                            "found " + described(text.charAt(at)) + ", expected a name, a number or an operator"
                                    + advice(text.charAt(at)));
                }
            }
            if (kind != null) {
                String found = matcher.group();
                if (found.length() > MOST_CHARACTERS) {
                    throw Place.refusal(
                            column,
                            "a " + (kind == Kind.NAME ? "name" : "number") + " of " + found.length()
                                    + " characters, must have at most " + MOST_CHARACTERS);
                }
                tokens.add(new Token(kind, found, column));
            }
            at = matcher.end();
        }
        tokens.add(new Token(Kind.END, "", text.length() + 1));
        return tokens;
    }

    private static String described(char character) {
        return character > ' ' && character < 127
                ? "'" + character + "'"
                : String.format("the character U+%04X", (int) character);
    }

    private static String advice(char character) {
        return switch (character) {
            case '=' -> "; equal is ==";
            case '&' -> "; and is &&";
            case '|' -> "; or is ||";
            case '^' -> "; a power is pow(x, y)";
            default -> "";
        };
    }

    boolean is(String sign) {
        return kind == Kind.SIGN && text.equals(sign);
    }

    String described() {
        return kind == Kind.END ? "the end" : "\"" + text + "\"";
    }
}
