package dev.attention4j.cli;

import java.util.ArrayList;
import java.util.Collections;
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
        List<Double> sorted = new ArrayList<>(milliseconds);
        Collections.sort(sorted);
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
