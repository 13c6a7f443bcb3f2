package dev.attention4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress of something long: a bar on standard error or, where that is no terminal, at most one line each ten seconds, when
 * a step is done, for the reader of a log.
 */
public final class Progress implements AutoCloseable {
    private static final long INTERVAL = TimeUnit.SECONDS.toNanos(10);

    private final String task;
    private final boolean drawsBar;
    private final Consumer<String> log;
    private final LongSupplier nanos;
    private final long start;
    private ProgressBar bar;
    private long printed;
    private long steps;
    private long max;
    private String word = "";

    Progress(String task, long max, boolean drawsBar, Consumer<String> log, LongSupplier nanos) {
        this.task = task;
        this.max = max;
        this.drawsBar = drawsBar;
        this.log = log;
        this.nanos = nanos;
        start = nanos.getAsLong();
        printed = start;
        show();
    }

    /** Begins with a number of steps. */
    public static Progress start(String task, long max) {
        return new Progress(task, max, Terminal.drawsBars(), System.err::println, System::nanoTime);
    }

    /** Returns true if a bar is drawn, so that other lines should wait until it is hidden or closed. */
    boolean isShown() {
        return bar != null;
    }

    /** Shows the bar again after {@link #hide}. */
    public void show() {
        if (!drawsBar || bar != null) {
            return;
        }
        // Not System.err, in which a carriage return is escaped.
        PrintStream standardError =
                new PrintStream(new FileOutputStream(FileDescriptor.err), true, Text.outputCharset());
        bar = new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(max)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(100)
                .startsFrom(steps, Duration.ZERO)
                .setConsumer(new ConsoleProgressBarConsumer(standardError, Text.WIDTH - 1) {
                    @Override
                    public void close() {
                        // The bar was cleared: no line break, which would leave an empty line where it was.
                        standardError.flush();
                    }
                })
                .clearDisplayOnFinish()
                .build();
        say(word);
    }

    /** Takes the bar off the screen, so that lines can be printed. */
    public void hide() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    /** Sets the number of steps, as far as it is known by now. */
    void max(long most) {
        max = most;
        if (bar != null) {
            bar.maxHint(most);
        }
    }

    /** Counts one step. */
    public void step() {
        steps++;
        if (bar != null) {
            bar.step();
        } else if (!drawsBar && nanos.getAsLong() - printed >= INTERVAL) {
            printed = nanos.getAsLong();
            log.accept((task.isEmpty() ? "" : task + ": ") + steps + " of " + Math.max(steps, max) + " after "
                    + TimeUnit.NANOSECONDS.toSeconds(printed - start) + " s" + (word.isEmpty() ? "" : ", " + word));
        }
    }

    /** Shows a few words after the bar. */
    public void say(String words) {
        word = words;
        if (bar != null) {
            bar.setExtraMessage(" " + Text.printable(words));
        }
    }

    @Override
    public void close() {
        hide();
    }
}
