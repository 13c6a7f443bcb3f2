package dev.attention4j.conformance.problems;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A small part of a grid: every value of every axis is in it, cheaply, and then as many pairs of values of two axes as
 * an effort allows. The same seed selects the same cases; another seed, others.
 */
public final class Covering {
    /** The least cost of a case, in operations. */
    private static final double BASE = 5e7;

    /** A case that is not selected yet, with the numbers of what it shows. */
    @SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
    private record Candidate(GridCase grid, int[] values, int[] pairs) {
        double price() {
            return BASE + grid.flops();
        }
    }

    private final Map<String, Integer> numbers = new HashMap<>();
    private final List<Candidate> left = new ArrayList<>();
    private final List<Candidate> chosen = new ArrayList<>();

    private Covering(List<GridCase> cases, long seed) {
        for (GridCase grid : cases) {
            List<String> axes = grid.axes();
            List<String> pairs = new ArrayList<>();
            for (int a = 0; a < axes.size(); a++) {
                for (int b = 0; b < a; b++) {
                    pairs.add(axes.get(a) + ", " + axes.get(b));
                }
            }
            left.add(new Candidate(grid, numbers(axes), numbers(pairs)));
        }
        Collections.shuffle(left, new Random(seed));
    }

    private int[] numbers(List<String> names) {
        return names.stream()
                .mapToInt(name -> numbers.computeIfAbsent(name, fresh -> numbers.size()))
                .toArray();
    }

    /**
     * Selects a part of a grid, in the order of the names.
     *
     * @param effort operations that the cases for pairs may take together
     */
    public static List<GridCase> select(List<GridCase> cases, long seed, double effort) {
        Covering covering = new Covering(cases, seed);
        covering.take(false, Double.POSITIVE_INFINITY);
        covering.take(true, effort);
        return covering.chosen.stream()
                .map(Candidate::grid)
                .sorted(Comparator.comparing(GridCase::toString))
                .toList();
    }

    /** Takes the case that shows most that is new for its price, again and again. */
    private void take(boolean pairs, double effort) {
        BitSet seen = new BitSet();
        chosen.forEach(one -> show(seen, pairs ? one.pairs : one.values));
        for (double budget = effort; ; ) {
            Candidate best = null;
            double bestWorth = 0;
            for (Candidate one : left) {
                double worth = fresh(seen, pairs ? one.pairs : one.values) / one.price();
                if (worth > bestWorth && one.price() <= budget) {
                    best = one;
                    bestWorth = worth;
                }
            }
            if (best == null) {
                return;
            }
            budget -= best.price();
            left.remove(best);
            chosen.add(best);
            show(seen, pairs ? best.pairs : best.values);
        }
    }

    private static void show(BitSet seen, int... numbers) {
        for (int number : numbers) {
            seen.set(number);
        }
    }

    private static int fresh(BitSet seen, int... numbers) {
        int fresh = 0;
        for (int number : numbers) {
            fresh += seen.get(number) ? 0 : 1;
        }
        return fresh;
    }
}
