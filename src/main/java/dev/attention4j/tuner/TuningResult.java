package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/**
 * The result of tuning a problem.
 *
 * @param trials of all variants, the fastest first, those that are wrong or failed last
 * @param untuned the engine's choice by itself
 * @param fastest the fastest right one; empty if the untuned one is not right, for then nothing can be compared
 * @param gain how many times as fast as the untuned one, measured anew by turns; 1 if it is the untuned one
 * @param won the number of these turns in which it was faster
 */
public record TuningResult(
        List<Trial> trials, Variant untuned, Optional<Trial> fastest, double gain, int won, int turns) {
    /** The least gain that is worth an entry. */
    private static final double CLEARLY = 1.02;

    /** The least share of turns won; of two that are equally fast, one wins 9 of 11 by luck once in 30 times. */
    private static final double MOSTLY = 0.8;

    /**
     * The result for one variant.
     *
     * @param milliseconds of a call: the median of all rounds, or the least of the first looks if it came no further; NaN
     *     if not timed
     * @param ratio how many times as fast as the untuned variant was in the same rounds or looks; NaN if not timed
     * @param detail what is wrong with it, or which kernel has too few registers; empty if nothing
     */
    public record Trial(Variant variant, Outcome outcome, double milliseconds, double ratio, String detail) {}

    /** The stage that a variant reached. */
    public enum Outcome {
        /** It was among the fastest and was timed in every round. */
        TIMED,
        /** It is right, but a first look showed that it is far from the fastest. */
        SLOW,
        /** It was left out: its plan's own choice is many times as slow as another plan. */
        NOT_TRIED,
        /** It did not compute: it does not build, or the device refuses it. */
        FAILED,
        /** It computed something else than the oracle. */
        WRONG
    }

    /** Copies the list. */
    public TuningResult {
        trials = List.copyOf(trials);
    }

    /** Nothing was found that is faster than the untuned variant, or nothing that works. */
    static TuningResult of(List<Trial> trials, Variant untuned, Optional<Trial> fastest) {
        return new TuningResult(trials, untuned, fastest, 1, 0, 0);
    }

    /** Returns true if the fastest is clearly better: by more than 2 %, and it lost at most two turns of eleven. */
    public boolean isClearlyBetter() {
        return fastest.isPresent() && gain > CLEARLY && won >= MOSTLY * turns;
    }

    /** Returns true if no variant computed something wrong and the untuned one computes at all. */
    public boolean allRight() {
        return fastest.isPresent() && trials.stream().noneMatch(trial -> trial.outcome() == Outcome.WRONG);
    }
}
