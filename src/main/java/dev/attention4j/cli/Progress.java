package dev.attention4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * How far something long is: a bar on standard error or, where that is no terminal, a line each ten seconds, for the reader
 * of a log.
 */
abstract class Progress implements AutoCloseable {
    private String task = "";

    /** Begins with so many steps. */
    static Progress start(String task, long steps) {
        Progress progress =
                Terminal.drawsBars() ? new Bar(task, steps) : new Lines(System.err::println, System::nanoTime);
        progress.task = task;
        progress.max(steps);
        return progress;
    }

    /** Returns whether a bar is drawn, so that other lines should wait until it is closed. */
    abstract boolean isShown();

    /** There are so many steps, as far as is known by now. */
    abstract void max(long steps);

    /** One step done. */
    abstract void step();

    /** A word after the bar. */
    abstract void say(String word);

    String task() {
        return task;
    }

    @Override
    public abstract void close();

    private static final class Bar extends Progress {
        private final ProgressBar bar;

        Bar(String task, long steps) {
            // Not System.err, in which a carriage return is escaped.
            PrintStream standardError =
                    new PrintStream(new FileOutputStream(FileDescriptor.err), true, Text.outputCharset());
            bar = new ProgressBarBuilder()
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
                    .build();
        }

        @Override
        boolean isShown() {
            return true;
        }

        @Override
        void max(long steps) {
            bar.maxHint(steps);
        }

        @Override
        void step() {
            bar.step();
        }

        @Override
        void say(String word) {
            bar.setExtraMessage(" " + Text.printable(word));
        }

        @Override
        public void close() {
            bar.close();
        }
    }

    /** Prints at most one line each ten seconds, when a step is done. */
    static final class Lines extends Progress {
        private static final long INTERVAL = TimeUnit.SECONDS.toNanos(10);

        private final Consumer<String> out;
        private final LongSupplier nanos;
        private final long start;
        private long printed;
        private long steps;
        private long max;
        private String word = "";

        Lines(Consumer<String> out, LongSupplier nanos) {
            this.out = out;
            this.nanos = nanos;
            start = nanos.getAsLong();
            printed = start;
        }

        @Override
        boolean isShown() {
            return false;
        }

        @Override
        void max(long most) {
            max = most;
        }

        @Override
        void step() {
            steps++;
            long now = nanos.getAsLong();
            if (now - printed >= INTERVAL) {
                printed = now;
                out.accept((task().isEmpty() ? "" : task() + ": ") + steps + " of " + Math.max(steps, max) + " after "
                        + TimeUnit.NANOSECONDS.toSeconds(now - start) + " s" + (word.isEmpty() ? "" : ", " + word));
            }
        }

        @Override
        void say(String now) {
            word = now;
        }

        @Override
        public void close() {
            // Nothing was drawn.
        }
    }
}
