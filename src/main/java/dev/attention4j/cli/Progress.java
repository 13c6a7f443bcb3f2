package dev.attention4j.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on standard error while something long runs; nothing at all where standard error is no terminal. */
final class Progress implements AutoCloseable {
    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    private final ProgressBar bar;

    private Progress(ProgressBar bar) {
        this.bar = bar;
    }

    /** A bar with so many steps. */
    static Progress start(String task, long steps) {
        if (!onTerminal()) {
            return new Progress(null);
        }
        PrintStream standardError = System.err;
        return new Progress(new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(steps)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(100)
                .setConsumer(new ConsoleProgressBarConsumer(standardError, Text.WIDTH - 1) {
                    @Override
                    public void close() {
                        // The bar was cleared: no line break, which would leave an empty line where it was.
                        standardError.flush();
                    }
                })
                .clearDisplayOnFinish()
                .build());
    }

    /** Whether a bar is drawn, so that other lines should wait until it is closed. */
    boolean isShown() {
        return bar != null;
    }

    /** There are so many steps, as far as is known by now. */
    void max(long steps) {
        if (bar != null) {
            bar.maxHint(steps);
        }
    }

    /** One step done. */
    void step() {
        if (bar != null) {
            bar.step();
        }
    }

    /** A word beside the bar. */
    void say(String word) {
        if (bar != null) {
            bar.setExtraMessage(" " + word);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }

    private static boolean onTerminal() {
        try {
            String target = Files.readSymbolicLink(STANDARD_ERROR).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            // No /proc on macOS and Windows, and Java does not tell what standard error is: rather no bar than a log
            // full of them.
            return false;
        }
    }
}
