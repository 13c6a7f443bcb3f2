package dev.attention4j.expression;

import java.util.Collection;

/** The text of an expression, for errors that point into it. */
record Place(String text) {
    private static final int EXCERPT = 64;

    /** Returns an error with the text and a caret below a column. */
    IllegalArgumentException error(int column, String message) {
        int from = Math.max(0, Math.min(column - 1 - EXCERPT / 2, text.length() - EXCERPT));
        String before = from > 0 ? "..." : "";
        String after = from + EXCERPT < text.length() ? "..." : "";
        String excerpt = before + text.substring(from, Math.min(text.length(), from + EXCERPT)) + after;
        return new IllegalArgumentException("column " + column + ": " + message + "\n  "
                + excerpt.replace('\t', ' ').replace('\n', ' ').replace('\r', ' ') + "\n  "
                + " ".repeat(column - 1 - from + before.length()) + "^");
    }

    /** Returns an error of one line, for text that is not to be repeated. */
    static IllegalArgumentException refusal(int column, String message) {
        return new IllegalArgumentException("column " + column + ": " + message);
    }

    /** Returns a question to append to an error; empty if no name is near. */
    static String didYouMean(String given, Collection<String> names) {
        return Spelling.nearest(given, names)
                .map(name -> "; did you mean \"" + name + "\"?")
                .orElse("");
    }
}
