package dev.attention4j.tuner;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import dev.attention4j.measure.Timing;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.tuner.TuningResult.Outcome;
import dev.attention4j.tuner.TuningResult.Trial;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * Finds the fastest variant for a problem.
 *
 * <p>First each is checked against the oracle: a wrong one cannot win. Then each is called once untimed, since that
 * builds kernels. The plans' own choices come first: where one is many times as slow as another plan's, as one
 * work-item to a group is on a GPU, the plan's other variants are left out. All timing is by turns (A B C, A B C, …),
 * so that a machine that grows slower meanwhile does so for all alike: a few first looks, after which those far from
 * the fastest are dropped, then the rounds. Since the fastest of many is so partly by luck, it is then timed anew by
 * turns against the engine's untuned choice, and that ratio counts; and since a race between work-items shows late, it
 * is checked once more.
 */
public final class Tuner {
    private static final int LOOKS = 3;
    private static final int ROUNDS = 7;
    private static final int DUEL_ROUNDS = 11;

    /** A plan whose own choice is this many times as slow as another plan's has no other variant tried. */
    public static final int HOPELESS = 10;

    /** A variant this many times as slow as the fastest in its first run is dropped. */
    private static final double FAR = 2;

    /** A variant at most this many times as slow as the fastest in the first runs is timed further. */
    private static final double NEAR = 1.3;

    private static final int MOST_FINALISTS = 8;

    /** The least time of a turn of several calls: of a shorter one the clock would be measured. */
    private static final double TURN_MS = 10;

    /** The usual classes of attention, each by a shape that a CPU computes in a tenth of a second. */
    public static final String USUAL_ATTENTION = "1.8.8.1024.1024.64,1.8.8.1024.1024.64:causal,1.8.8.1024.1024.128,"
            + "1.8.8.1024.1024.128:causal,1.12.12.128.128.32,4.12.12.256.256.64,2.16.16.256.256.128,8.8.8.1.2048.64,"
            + "1.32.8.1.2048.128";

    /** The same and a projection. */
    public static final String USUAL = USUAL_ATTENTION + ",gemm:2048.512.512";

    private static final String FORM = "B.Hq.Hkv.Lq.Lk.D[.Dv] with or without :causal, such as"
            + " 1.8.8.1024.1024.64:causal, or gemm:rows.in.out";

    /** Receives progress. */
    public interface Listener {
        /** Announces the most steps that will be taken. */
        void begin(int steps);

        /** Announces a step in a few words. */
        void step(String what);
    }

    private final Workbench bench;
    private final Listener listener;
    private final LongSupplier clock;
    private final Map<Variant, Trial> trials = new LinkedHashMap<>();

    /** Tunes on any workbench, with any clock of nanoseconds. */
    Tuner(Workbench bench, Listener listener, LongSupplier clock) {
        this.bench = bench;
        this.listener = listener;
        this.clock = clock;
    }

    /**
     * Tunes a shape on a device for a plan's name, or {@link EngineOptions#AUTO} for all; stores nothing. Projections
     * have one plan, and are timed in float32.
     */
    public static TuningResult tune(EngineInfo info, String plan, Shape shape, DType dtype, Listener listener) {
        checkPlan(plan, shape);
        try (Workbench bench = OpenClWorkbench.open(info, plan, shape, dtype)) {
            return new Tuner(bench, listener, System::nanoTime).run();
        }
    }

    /** Reads a comma-separated list of shapes that can be tuned for: attention, plain or causal, and projections. */
    public static List<Shape> shapes(String list) {
        return Shape.parseList(
                list,
                FORM,
                shape -> shape instanceof ProjectionShape
                        || (shape instanceof AttentionShape attention
                                && !attention.isMasked()
                                && !attention.isCached()
                                && !attention.hasGradients()));
    }

    /** The class of problems that a shape stands for, whose entry tuning makes. */
    public static ProblemClass problems(Shape shape, DType dtype) {
        return shape instanceof AttentionShape attention
                ? ProblemClass.of(Workload.of(attention.problem(dtype), false))
                : ProblemClass.PROJECTIONS;
    }

    /**
     * Checks that a shape can be tuned for a plan.
     *
     * @throws IllegalArgumentException if the plan is one and the shape a projection, or tunables are given with it
     */
    public static void checkPlan(String plan, Shape shape) {
        Variant asked = Variant.parse(plan);
        if (!asked.tunables().isEmpty()) {
            throw new IllegalArgumentException(
                    "plan: \"" + plan + "\", must be \"" + asked.plan() + "\" alone: its tiles are what is looked for");
        }
        if (shape instanceof ProjectionShape && !plan.equals(EngineOptions.AUTO)) {
            throw new IllegalArgumentException(
                    "plan: \"" + plan + "\", must be auto for " + shape + ": plans are ways to compute attention");
        }
    }

    TuningResult run() {
        List<Variant> variants = bench.variants();
        Variant untuned = variants.get(0);
        listener.begin(2 * variants.size() + LOOKS + ROUNDS + DUEL_ROUNDS);
        Map<Variant, Double> own = ownChoices(variants);
        List<Variant> right = new ArrayList<>();
        for (Variant variant : variants) {
            if (own.containsKey(variant) || (!trials.containsKey(variant) && isTried(variant, own) && works(variant))) {
                right.add(variant);
            }
        }
        if (!right.contains(untuned)) {
            return TuningResult.of(ordered(), untuned, Optional.empty());
        }
        Map<Variant, double[]> times = rounds(finalists(right, untuned, own), ROUNDS, "round");
        times.forEach((variant, each) -> trials.put(
                variant,
                new Trial(
                        variant,
                        Outcome.TIMED,
                        Timing.median(each),
                        Timing.median(Timing.ratios(times.get(untuned), each)),
                        bench.outOfRegisters(variant))));
        while (!ordered().get(0).variant().equals(untuned)) {
            Trial fastest = ordered().get(0);
            double[] ratios = duel(fastest.variant(), untuned);
            // A race shows late.
            if (check(fastest.variant())) {
                int won = (int) Arrays.stream(ratios).filter(ratio -> ratio > 1).count();
                return new TuningResult(
                        ordered(), untuned, Optional.of(fastest), Timing.median(ratios), won, ratios.length);
            }
        }
        return TuningResult.of(ordered(), untuned, Optional.of(ordered().get(0)));
    }

    /** Returns the milliseconds of each plan's own choice at first sight, without those that fail or are wrong. */
    private Map<Variant, Double> ownChoices(List<Variant> variants) {
        Map<Variant, Double> own = new LinkedHashMap<>();
        Set<String> plans = new HashSet<>();
        for (Variant variant : variants) {
            if (plans.add(variant.plan()) && works(variant)) {
                own.put(variant, turn(variant));
            }
        }
        return own;
    }

    private boolean isTried(Variant variant, Map<Variant, Double> own) {
        double least =
                own.values().stream().mapToDouble(Double::doubleValue).min().orElse(Double.NaN);
        boolean hopeless = own.entrySet().stream()
                .anyMatch(choice ->
                        choice.getKey().plan().equals(variant.plan()) && choice.getValue() > HOPELESS * least);
        if (hopeless) {
            drop(variant, Outcome.NOT_TRIED, "");
        }
        return !hopeless;
    }

    /** Returns whether a variant is right, and runs at full size. */
    private boolean works(Variant variant) {
        listener.step("checking");
        return check(variant) && warmUp(variant);
    }

    private boolean check(Variant variant) {
        try {
            Optional<String> wrong = bench.whyWrong(variant);
            wrong.ifPresent(why -> drop(variant, Outcome.WRONG, why));
            return wrong.isEmpty();
        } catch (RuntimeException e) {
            drop(variant, Outcome.FAILED, message(e));
            return false;
        }
    }

    private boolean warmUp(Variant variant) {
        listener.step("building");
        try {
            bench.run(variant);
            return true;
        } catch (RuntimeException e) {
            drop(variant, Outcome.FAILED, message(e));
            return false;
        }
    }

    /** Returns the untuned variant in any case, and the fastest of a few runs; those far off run once. */
    private List<Variant> finalists(List<Variant> right, Variant untuned, Map<Variant, Double> own) {
        Map<Variant, Double> looks = new LinkedHashMap<>(own);
        double leastOwn = Collections.min(own.values());
        List<Variant> near = new ArrayList<>(right);
        near.removeIf(variant -> own.getOrDefault(variant, 0.0) > FAR * leastOwn && !variant.equals(untuned));
        for (int look = 0; look < LOOKS; look++) {
            listener.step("a first look");
            near.forEach(variant -> looks.merge(variant, turn(variant), Math::min));
            double most = FAR * Collections.min(looks.values());
            near.removeIf(variant -> looks.get(variant) > most && !variant.equals(untuned));
        }
        double untunedMs = looks.get(untuned);
        looks.forEach((variant, milliseconds) -> trials.put(
                variant,
                new Trial(
                        variant, Outcome.SLOW, milliseconds, untunedMs / milliseconds, bench.outOfRegisters(variant))));
        double most = NEAR * Collections.min(looks.values());
        Set<Variant> finalists = new LinkedHashSet<>(List.of(untuned));
        looks.entrySet().stream()
                .filter(entry -> entry.getValue() <= most)
                .sorted(Map.Entry.comparingByValue())
                .limit(MOST_FINALISTS)
                .forEach(entry -> finalists.add(entry.getKey()));
        return List.copyOf(finalists);
    }

    private Map<Variant, double[]> rounds(List<Variant> variants, int rounds, String called) {
        List<DoubleSupplier> turns = new ArrayList<>();
        variants.forEach(variant -> turns.add(() -> turn(variant)));
        double[][] all = Timing.byTurns(turns, rounds, round -> listener.step(called + " " + (round + 1)));
        Map<Variant, double[]> times = new LinkedHashMap<>();
        variants.forEach(variant -> times.put(variant, all[times.size()]));
        return times;
    }

    /** Returns how many times as fast one is as the other, in each round. */
    private double[] duel(Variant one, Variant other) {
        Map<Variant, double[]> times = rounds(List.of(one, other), DUEL_ROUNDS, "against the default");
        return Timing.ratios(times.get(other), times.get(one));
    }

    /** Returns the milliseconds of a call. */
    private double turn(Variant variant) {
        return Arrays.stream(Timing.times(() -> bench.run(variant), TURN_MS, clock))
                .average()
                .orElseThrow();
    }

    private void drop(Variant variant, Outcome outcome, String why) {
        trials.put(variant, new Trial(variant, outcome, Double.NaN, Double.NaN, why));
    }

    private List<Trial> ordered() {
        // Medians before first looks: these are the best of few, and would come first by that alone.
        return trials.values().stream()
                .sorted(Comparator.comparing(Trial::outcome).thenComparingDouble(Trial::milliseconds))
                .toList();
    }

    private static String message(RuntimeException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
    }
}
