package dev.attention4j.measure;

import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;

/**
 * Timing by turns (A B C, A B C, …): a machine that slows down meanwhile does so for all alike. Times are summed up by
 * their median, which ignores a few disturbed calls as a mean does not.
 */
public final class Timing {
    private Timing() {}

    /** Calls until {@code leastMs} milliseconds have passed, at least once; returns the milliseconds of each call. */
    public static double[] times(Runnable call, double leastMs, LongSupplier nanos) {
        double[] times = new double[1];
        int calls = 0;
        for (double total = 0; calls == 0 || total < leastMs; calls++) {
            if (calls == times.length) {
                times = Arrays.copyOf(times, 2 * calls);
            }
            long start = nanos.getAsLong();
            call.run();
            times[calls] = (nanos.getAsLong() - start) / 1e6;
            total += times[calls];
        }
        return Arrays.copyOf(times, calls);
    }

    /** The milliseconds of one call. */
    public static double once(Runnable call) {
        return times(call, 0, System::nanoTime)[0];
    }

    /** Gives each its turn in each round; returns the turns' times, [turn][round]. */
    public static double[][] byTurns(List<? extends DoubleSupplier> turns, int rounds, IntConsumer beforeRound) {
        double[][] times = new double[turns.size()][rounds];
        for (int round = 0; round < rounds; round++) {
            beforeRound.accept(round);
            for (int turn = 0; turn < times.length; turn++) {
                times[turn][round] = turns.get(turn).getAsDouble();
            }
        }
        return times;
    }

    /** The speed relative to a base, in each round. */
    public static double[] ratios(double[] base, double[] times) {
        double[] ratios = new double[base.length];
        Arrays.setAll(ratios, round -> base[round] / times[round]);
        return ratios;
    }

    /** The middle one of some numbers; the mean of the middle two where their count is even. */
    public static double median(double... numbers) {
        if (numbers.length == 0) {
            throw new IllegalArgumentException("numbers: none given, must be at least one");
        }
        double[] sorted = numbers.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }
}
