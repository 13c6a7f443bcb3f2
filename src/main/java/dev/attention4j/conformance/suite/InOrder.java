package dev.attention4j.conformance.suite;

import java.util.TreeMap;
import java.util.function.Consumer;

/** Puts what several children say back into the order of the trials, so that two runs report alike. */
final class InOrder {
    private final TreeMap<Integer, Outcome> early = new TreeMap<>();
    private final Consumer<Outcome> listener;
    private int next;

    InOrder(Consumer<Outcome> listener) {
        this.listener = listener;
    }

    /** Passes it on, and those that waited for it; or keeps it until its turn. */
    void add(int trial, Outcome outcome) {
        early.put(trial, outcome);
        while (early.containsKey(next)) {
            listener.accept(early.remove(next));
            next++;
        }
    }

    /** Passes on what still waits for trials that will not come. */
    void flush() {
        early.values().forEach(listener);
        early.clear();
    }
}
