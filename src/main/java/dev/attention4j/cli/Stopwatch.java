package dev.attention4j.cli;

import dev.attention4j.tuner.Median;
import java.util.ArrayList;
import java.util.List;

/** Times of one thing done again and again. */
final class Stopwatch {
    private final List<Double> milliseconds = new ArrayList<>();

    /** Does it once and keeps the time. */
    void time(Runnable work) {
        long start = System.nanoTime();
        work.run();
        milliseconds.add((System.nanoTime() - start) / 1e6);
    }

    /** How many times were kept. */
    int count() {
        return milliseconds.size();
    }

    /**
     * The middle one.
     *
     * @return milliseconds
     * @throws IllegalStateException if nothing was timed
     */
    double median() {
        if (milliseconds.isEmpty()) {
            throw new IllegalStateException("nothing was timed");
        }
        return Median.of(milliseconds.stream().mapToDouble(Double::doubleValue).toArray());
    }
}
