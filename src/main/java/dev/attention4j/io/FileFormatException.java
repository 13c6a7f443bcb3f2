package dev.attention4j.io;

import java.io.IOException;
import java.util.Collection;
import java.util.stream.Collectors;

/** Thrown if a file's content is refused. The message begins with the file's name. */
public class FileFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Keeps the message readable for a file of ten thousand tensors. */
    private static final int MAX_LISTED = 40;

    /** Keeps a hostile name from filling the screen. */
    private static final int MAX_QUOTED = 120;

    /** Takes the file's name, and the problem: what was wrong and what was expected. */
    public FileFormatException(String file, String problem) {
        super(file + ": " + problem);
    }

    /** Takes a cause as well. */
    public FileFormatException(String file, String problem, Throwable cause) {
        super(file + ": " + problem, cause);
    }

    /** Quotes text from a file for a message, in one line: escapes control characters, and cuts long text. */
    public static String quoted(String text) {
        return '"' + printable(text) + '"';
    }

    /** Lists the names of a file's tensors for a message: the first forty in quotes and the number of the others. */
    public static String listed(Collection<String> names) {
        if (names.isEmpty()) {
            return "no tensor";
        }
        String listed = names.stream()
                .limit(MAX_LISTED)
                .map(FileFormatException::quoted)
                .collect(Collectors.joining(", "));
        return listed + (names.size() > MAX_LISTED ? " and " + (names.size() - MAX_LISTED) + " more" : "");
    }

    /** Makes text from a file printable in one line: escapes control characters, and cuts long text. */
    public static String printable(String text) {
        int end = text.codePointCount(0, text.length()) > MAX_QUOTED ? text.offsetByCodePoints(0, MAX_QUOTED) : -1;
        return end < 0 ? escaped(text, "") : escaped(text.substring(0, end), "") + "...";
    }

    /** Escapes the characters of a text that control a terminal, as in Java and JSON, except line breaks and tabs. */
    public static String printableLines(String text) {
        return escaped(text, "\n\t");
    }

    private static String escaped(String text, String kept) {
        StringBuilder printable = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            if (!steers(c) || kept.indexOf(c) >= 0) {
                printable.appendCodePoint(c);
            } else {
                for (char unit : Character.toChars(c)) {
                    printable.append(String.format("\\u%04x", (int) unit));
                }
            }
        });
        return printable.toString();
    }

    /** True for control characters, for invisible ones that turn or break a line, and for lone surrogates. */
    private static boolean steers(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.SURROGATE
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR;
    }
}
