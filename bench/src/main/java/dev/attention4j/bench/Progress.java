package dev.attention4j.bench;

import dev.attention4j.cli.Terminal;
import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on standard error while something long runs; nothing at all where standard error is no terminal. */
final class Progress implements AutoCloseable {
    private static final int COLUMNS = 100;

    private final String task;
    private final long steps;
    private ProgressBar bar;
    private long done;

    private Progress(String task, long steps) {
        this.task = task;
        this.steps = steps;
        show();
    }

    /** A bar with so many steps. */
    static Progress start(String task, long steps) {
        return new Progress(task, steps);
    }

    /** Shows the bar again after {@link #hide}. */
    void show() {
        if (bar != null || !Terminal.drawsBars()) {
            return;
        }
        PrintStream standardError = System.err;
        bar = new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(steps)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(200)
                .startsFrom(done, java.time.Duration.ZERO)
                .setConsumer(new ConsoleProgressBarConsumer(standardError, COLUMNS - 1) {
                    @Override
                    public void close() {
                        // The bar was cleared: no line break, which would leave an empty line where it was.
                        standardError.flush();
                    }
                })
                .clearDisplayOnFinish()
                .build();
    }

    /** Takes the bar off the screen, so that lines can be printed. */
    void hide() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    /** One step done. */
    void step() {
        done++;
        if (bar != null) {
            bar.step();
        }
    }

    /** A few words beside the bar. */
    void say(String words) {
        if (bar != null) {
            bar.setExtraMessage(" " + words);
        }
    }

    @Override
    public void close() {
        hide();
    }
}
