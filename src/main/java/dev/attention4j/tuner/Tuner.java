package dev.attention4j.tuner;

import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.plan.Variant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Finds the fastest variant for a problem.
 *
 * <p>First each is checked against the oracle: what is wrong cannot win. Then each is called a few times, the first time
 * without the clock, since it builds kernels; what is far from the fastest goes no further. The others take turns in
 * rounds (A B C, A B C, …), so that a machine that grows slower meanwhile does so for all alike. Since the fastest of
 * many is so partly by luck, it is then timed anew by turns with what the engine picks untuned, and that ratio counts;
 * and since a race between work-items shows late, it is checked once more.
 */
public final class Tuner {
    private static final int ROUNDS = 7;
    private static final int DUEL_ROUNDS = 11;

    /** How much slower than the fastest the first look may be, for the rounds still to turn it. */
    private static final double NEAR = 1.3;

    private static final int MOST_FINALISTS = 8;

    /** A turn is as many calls as take this long, at least one: a shorter time would be the clock's. */
    private static final double TURN_MS = 10;

    /** Is told how far it is. */
    public interface Listener {
        /**
         * The steps that will be taken.
         *
         * @param steps at most
         */
        void begin(int steps);

        /**
         * A step begins.
         *
         * @param what a few words
         */
        void step(String what);
    }

    private final Workbench bench;
    private final Listener listener;
    private final Map<Variant, Trial> trials = new LinkedHashMap<>();

    Tuner(Workbench bench, Listener listener) {
        this.bench = bench;
        this.listener = listener;
    }

    /**
     * Tunes a problem on a device.
     *
     * @param info an OpenCL device
     * @param plan a plan's name, or {@link dev.attention4j.EngineOptions#AUTO} for all
     * @param problem plain or causal
     * @param listener is told how far it is
     * @return what was found; nothing is stored
     */
    public static TuningResult tune(EngineInfo info, String plan, AttentionProblem problem, Listener listener) {
        try (DeviceWorkbench bench = new DeviceWorkbench(info, plan, problem)) {
            return new Tuner(bench, listener).run();
        }
    }

    TuningResult run() {
        List<Variant> variants = bench.variants();
        Variant untuned = variants.get(0);
        listener.begin(2 * variants.size() + ROUNDS + DUEL_ROUNDS);
        List<Variant> right = new ArrayList<>();
        for (Variant variant : variants) {
            listener.step("checking");
            if (check(variant)) {
                right.add(variant);
            }
        }
        if (!right.contains(untuned)) {
            return new TuningResult(ordered(), untuned, Optional.empty(), 1);
        }
        for (Variant variant : right) {
            listener.step("a first look");
            look(variant);
        }
        if (trials.get(untuned).outcome() != Trial.Outcome.SLOW) {
            return new TuningResult(ordered(), untuned, Optional.empty(), 1);
        }
        Map<Variant, double[]> times = rounds(finalists(untuned), ROUNDS, "round");
        times.forEach(
                (variant, each) -> trials.put(variant, new Trial(variant, Trial.Outcome.TIMED, median(each), "")));
        while (!ordered().get(0).variant().equals(untuned)) {
            Trial fastest = ordered().get(0);
            double gain = duel(fastest.variant(), untuned);
            // A race shows late.
            if (check(fastest.variant())) {
                return new TuningResult(ordered(), untuned, Optional.of(fastest), gain);
            }
        }
        return new TuningResult(ordered(), untuned, Optional.of(ordered().get(0)), 1);
    }

    private boolean check(Variant variant) {
        try {
            Optional<String> objection = bench.objection(variant);
            objection.ifPresent(what -> drop(variant, Trial.Outcome.WRONG, what));
            return objection.isEmpty();
        } catch (RuntimeException e) {
            drop(variant, Trial.Outcome.FAILED, message(e));
            return false;
        }
    }

    /** Outcome {@link Trial.Outcome#SLOW} until it is in the rounds. */
    private void look(Variant variant) {
        try {
            bench.run(variant);
            double milliseconds = Math.min(turn(variant), turn(variant));
            trials.put(variant, new Trial(variant, Trial.Outcome.SLOW, milliseconds, ""));
        } catch (RuntimeException e) {
            drop(variant, Trial.Outcome.FAILED, message(e));
        }
    }

    /** The untuned one in any case, and the fastest. */
    private List<Variant> finalists(Variant untuned) {
        List<Trial> looked = ordered().stream()
                .filter(trial -> trial.outcome() == Trial.Outcome.SLOW)
                .toList();
        double most = NEAR * looked.get(0).milliseconds();
        Set<Variant> finalists = new LinkedHashSet<>();
        finalists.add(untuned);
        for (Trial trial : looked) {
            if (trial.milliseconds() <= most && finalists.size() < MOST_FINALISTS) {
                finalists.add(trial.variant());
            }
        }
        return List.copyOf(finalists);
    }

    private Map<Variant, double[]> rounds(List<Variant> variants, int rounds, String called) {
        Map<Variant, double[]> times = new LinkedHashMap<>();
        variants.forEach(variant -> times.put(variant, new double[rounds]));
        for (int round = 0; round < rounds; round++) {
            listener.step(called + " " + (round + 1));
            for (Variant variant : variants) {
                times.get(variant)[round] = turn(variant);
            }
        }
        return times;
    }

    /** How many times as fast one is as the other: the median of the ratios within a round. */
    private double duel(Variant one, Variant other) {
        Map<Variant, double[]> times = rounds(List.of(one, other), DUEL_ROUNDS, "against the default");
        double[] ratios = new double[DUEL_ROUNDS];
        for (int round = 0; round < DUEL_ROUNDS; round++) {
            ratios[round] = times.get(other)[round] / times.get(one)[round];
        }
        return median(ratios);
    }

    /** Milliseconds of a call. */
    private double turn(Variant variant) {
        long start = System.nanoTime();
        int calls = 0;
        double milliseconds;
        do {
            bench.run(variant);
            calls++;
            milliseconds = (System.nanoTime() - start) / 1e6;
        } while (milliseconds < TURN_MS);
        return milliseconds / calls;
    }

    private void drop(Variant variant, Trial.Outcome outcome, String why) {
        trials.put(variant, new Trial(variant, outcome, Double.NaN, why));
    }

    private List<Trial> ordered() {
        // Medians before first looks: these are the better of two, and would come first by that alone.
        return trials.values().stream()
                .sorted(Comparator.comparing(Trial::outcome).thenComparingDouble(Trial::milliseconds))
                .toList();
    }

    private static double median(double[] numbers) {
        double[] sorted = numbers.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    private static String message(RuntimeException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
    }
}
