package dev.attention4j.cli;

import dev.attention4j.tuner.Tuner;

/** The progress bar of one shape that is tuned. */
final class TuningBar implements Tuner.Listener, AutoCloseable {
    private final String task;
    private Progress progress;
    private boolean begun;

    TuningBar(String task) {
        this.task = task;
    }

    @Override
    public void begin(int steps) {
        progress = Progress.start(task, steps);
    }

    @Override
    public void step(String what) {
        // What began before is done now.
        if (begun) {
            progress.step();
        }
        begun = true;
        progress.say(what);
    }

    @Override
    public void close() {
        if (progress != null) {
            progress.close();
        }
    }
}
