package dev.attention4j.cli;

import dev.attention4j.expression.Spelling;
import java.util.Collection;

/** Finds the name that a misspelt one was meant to be. */
final class Suggestion {
    private Suggestion() {}

    /** A question to be appended to an error message; empty if no name is near. */
    static String question(String given, Collection<String> names) {
        return Spelling.nearest(given, names)
                .map(name -> "; did you mean \"" + Text.printable(name) + "\"?")
                .orElse("");
    }
}
