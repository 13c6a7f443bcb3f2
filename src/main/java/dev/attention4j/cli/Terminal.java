package dev.attention4j.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The terminal, if there is one, that this was started from. */
public final class Terminal {
    private static final int USUAL_COLUMNS = 80;
    private static final int LEAST_COLUMNS = 60;
    private static final int MOST_COLUMNS = 200;
    private static final Path STANDARD_OUTPUT = Path.of("/proc/self/fd/1");
    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    private Terminal() {}

    /** The width of output: what {@code COLUMNS} says, else what the terminal says, else 80. */
    static int columns() {
        return columns(System.getenv(), isTerminal(STANDARD_OUTPUT) ? size() : Optional.empty());
    }

    /**
     * As {@link #columns()}.
     *
     * @param size what {@code stty size} says: rows and columns
     */
    static int columns(Map<String, String> environment, Optional<String> size) {
        String asked = Optional.ofNullable(environment.get("COLUMNS"))
                .or(() -> size.map(text -> text.replaceFirst("^\\s*\\d+\\s+", "")))
                .map(String::strip)
                .orElse("");
        int columns = asked.matches("[1-9]\\d{0,5}") ? Integer.parseInt(asked) : USUAL_COLUMNS;
        return Math.max(LEAST_COLUMNS, Math.min(MOST_COLUMNS, columns));
    }

    /** True if standard error is a terminal on which a line can be drawn again and again. */
    public static boolean drawsBars() {
        return drawsBars(System.getenv(), isTerminal(STANDARD_ERROR));
    }

    /** As {@link #drawsBars()}. */
    static boolean drawsBars(Map<String, String> environment, boolean isTerminal) {
        return isTerminal && !"dumb".equals(environment.get("TERM"));
    }

    private static boolean isTerminal(Path stream) {
        try {
            String target = Files.readSymbolicLink(stream).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            // No /proc on macOS and Windows, and Java does not tell what a stream is: rather no bar than a log full of
            // them.
            return false;
        }
    }

    /** A shell keeps COLUMNS to itself, so the terminal is asked. */
    private static Optional<String> size() {
        try {
            Process stty = new ProcessBuilder("stty", "size")
                    .redirectInput(STANDARD_OUTPUT.toRealPath().toFile())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!stty.waitFor(1, TimeUnit.SECONDS)) {
                stty.destroyForcibly();
                return Optional.empty();
            }
            return Optional.of(new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII));
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
