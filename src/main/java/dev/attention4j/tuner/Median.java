package dev.attention4j.tuner;

import java.util.Arrays;

/** What times are summed up by: a call that something else on the machine held up moves a mean, and not this. */
public final class Median {
    private Median() {}

    /**
     * The middle one.
     *
     * @param numbers in any order; left as they are
     * @return the mean of both in the middle where their number is even
     * @throws IllegalArgumentException if there is none
     */
    public static double of(double... numbers) {
        if (numbers.length == 0) {
            throw new IllegalArgumentException("numbers: none given, must be at least one");
        }
        double[] sorted = numbers.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }
}
