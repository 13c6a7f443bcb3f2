package dev.attention4j.cli;

import dev.attention4j.conformance.Outcome;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.UnsupportedCharsetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine.TypeConversionException;

/** Words and numbers for a person at a terminal. */
final class Text {
    /** Columns that output is wrapped to, see {@link Terminal}. */
    static final int WIDTH = Terminal.columns();

    private static final int LONGEST_CLASS_PATH = 200;

    private Text() {}

    /** The encoding of the terminal or file that standard output goes to. */
    static Charset outputCharset() {
        // Java 19 has stdout.encoding, Java 17 an internal name for it, and neither sets it for a pipe.
        String name = System.getProperty("stdout.encoding", System.getProperty("sun.stdout.encoding"));
        if (name != null) {
            try {
                return Charset.forName(name);
            } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
                return Charset.defaultCharset();
            }
        }
        return Charset.defaultCharset();
    }

    /** Text of a file or a driver, in one line. */
    static String printable(String text) {
        return FileFormatException.printable(text);
    }

    /** The message of an error, as one line where its own is one; never empty. */
    static String message(Throwable e) {
        String message = e.getMessage();
        if (e instanceof NoSuchFileException) {
            return message + ": no such file or directory";
        }
        if (e instanceof AccessDeniedException) {
            return message + ": permission denied";
        }
        if (e instanceof FileAlreadyExistsException) {
            return message + ": a file of that name is in the way";
        }
        if (e instanceof FileSystemException || e instanceof IOException || e instanceof IllegalArgumentException) {
            return message == null ? "failed without a reason (--debug shows where)" : message.strip();
        }
        if (message == null || isMistakeOfOurs(e)) {
            return "internal error, please report it with what --debug prints"
                    + (message == null ? "" : ": " + message);
        }
        return message.strip();
    }

    /** Such a thing is thrown by no check of input. */
    private static boolean isMistakeOfOurs(Throwable e) {
        return e instanceof NullPointerException
                || e instanceof IndexOutOfBoundsException
                || e instanceof ClassCastException
                || e instanceof ArithmeticException
                || e instanceof NegativeArraySizeException;
    }

    /** Reads numbers of a command line; {@code whyNot} says what is wrong with a text that has none. */
    static <T> T parsed(String text, String whyNot, Function<String, T> parse) {
        try {
            return parse.apply(text.strip());
        } catch (NumberFormatException e) {
            throw new TypeConversionException("\"" + text + "\" " + whyNot);
        }
    }

    /** A bar whose full length is {@code columns}; of blocks where the terminal has them, else of {@code #}. */
    static String bar(double fraction, int columns) {
        double length = Math.max(0, Math.min(1, fraction)) * columns;
        if (!outputCharset().newEncoder().canEncode("█▏")) {
            return "#".repeat((int) Math.round(length));
        }
        int eighths = (int) Math.round(length * 8);
        String partial = eighths % 8 == 0 ? "" : String.valueOf((char) ('▉' + 7 - eighths % 8));
        return "█".repeat(eighths / 8) + partial;
    }

    /** The command line of this program up to the command, for lines that a user may paste to run a case again. */
    static String program() {
        return program(System.getProperty("java.class.path", ""), System.getProperty("sun.java.command", ""));
    }

    /**
     * As {@link #program()}.
     *
     * @param started what the JVM was started with, the jar or the class and its arguments
     */
    static String program(String classPath, String started) {
        if (classPath.endsWith(".jar") && started.startsWith(classPath)) {
            return "java -jar " + Outcome.word(classPath);
        }
        // A developer's class path of many jars would hide the case.
        return classPath.length() > LONGEST_CLASS_PATH
                ? "java -jar target/attention4j-cli.jar"
                : "java -cp " + Outcome.word(classPath) + " " + Main.class.getName();
    }

    /** A shape as {@code 2 x 12 x 22 x 32}. */
    static String shape(long... shape) {
        return shape.length == 0
                ? "one number"
                : Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining(" x "));
    }

    /** A time with three digits and its unit. */
    static String milliseconds(double ms) {
        if (ms >= 1000) {
            return String.format(Locale.ROOT, ms >= 10_000 ? "%.1f s" : "%.2f s", ms / 1000);
        }
        return String.format(Locale.ROOT, ms >= 100 ? "%.0f ms" : ms >= 10 ? "%.1f ms" : "%.2f ms", ms);
    }

    /** A difference: 0, or two digits and an exponent. */
    static String difference(double difference) {
        return difference == 0 ? "0" : String.format(Locale.ROOT, "%.1e", difference);
    }

    /** Breaks at blanks into lines of at most {@code width} characters; a longer word is cut; at least one line. */
    static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.strip().split("\\s+", -1)) {
            String rest = word;
            if (line.length() > 0 && line.length() + 1 + rest.length() > width) {
                lines.add(line.toString());
                line.setLength(0);
            }
            while (rest.length() > width) {
                int end = end(rest, width);
                lines.add(rest.substring(0, end));
                rest = rest.substring(end);
            }
            line.append(line.length() > 0 ? " " : "").append(rest);
        }
        lines.add(line.toString());
        return lines;
    }

    /** The place to cut a word: after a character that parts it, if there is one in the second half of the line. */
    private static int end(String word, int width) {
        for (int end = width; end > width / 2; end--) {
            if ("-_/,;:.".indexOf(word.charAt(end - 1)) >= 0) {
                return end;
            }
        }
        return width;
    }

    /** Text under a label: the label before the first line, blanks before the others. */
    static String labelled(String label, int labelColumns, String text) {
        return labelled(label, labelColumns, text, WIDTH);
    }

    /** As {@link #labelled(String, int, String)} with lines of at most {@code width} characters. */
    static String labelled(String label, int labelColumns, String text, int width) {
        String padding = " ".repeat(labelColumns);
        String head =
                label.length() < labelColumns ? label + padding.substring(label.length()) : label + "\n" + padding;
        return head + String.join("\n" + padding, wrap(text, width - labelColumns));
    }
}
