package dev.attention4j.io;

import java.io.IOException;
import java.util.Collection;
import java.util.stream.Collectors;

/** A file was read, and what it holds is refused. The message begins with the file's name. */
public class FileFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    /** So that a file of ten thousand tensors still gives a readable message. */
    private static final int MAX_LISTED = 40;

    /** So that a hostile name does not fill the screen. */
    private static final int MAX_QUOTED = 120;

    /**
     * With no cause but the file.
     *
     * @param file the file's name
     * @param problem what was wrong and what was expected
     */
    public FileFormatException(String file, String problem) {
        super(file + ": " + problem);
    }

    /**
     * With a cause.
     *
     * @param file the file's name
     * @param problem what was wrong and what was expected
     * @param cause what was thrown below
     */
    public FileFormatException(String file, String problem, Throwable cause) {
        super(file + ": " + problem, cause);
    }

    /**
     * Text from a file, fit to be printed in a message: in quotes, with control characters escaped, cut if long.
     *
     * @param text whatever the file holds
     * @return one line
     */
    public static String quoted(String text) {
        return '"' + printable(text) + '"';
    }

    /**
     * What a file holds, fit to be printed in a message.
     *
     * @param names of its tensors
     * @return each in quotes, those beyond the first forty only counted; "no tensor" if there is none
     */
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

    /**
     * Text from a file, fit to be printed: with control characters escaped, cut if long.
     *
     * @param text whatever the file holds
     * @return one line
     */
    public static String printable(String text) {
        int end = text.codePointCount(0, text.length()) > MAX_QUOTED ? text.offsetByCodePoints(0, MAX_QUOTED) : -1;
        return end < 0 ? escaped(text, "") : escaped(text.substring(0, end), "") + "...";
    }

    /**
     * Text of any length, lines and all, fit to be printed: what would steer a terminal is escaped as in Java and JSON.
     *
     * @param text whatever a file or a driver says
     * @return the same with every control character escaped but line breaks and tabs
     */
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

    /** Control characters, those that turn or break a line unseen, and halves of pairs, which no encoding can write. */
    private static boolean steers(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.SURROGATE
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR;
    }
}
