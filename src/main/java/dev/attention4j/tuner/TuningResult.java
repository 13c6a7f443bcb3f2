package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/**
 * What tuning a problem found.
 *
 * @param trials of all variants, the fastest first, those that are wrong or failed last
 * @param untuned what the engine picks by itself
 * @param fastest the fastest right one; empty if the untuned one is not right, for then nothing can be compared
 * @param gain how many times as fast as the untuned one, measured anew by turns; 1 if it is the untuned one
 * @param won in how many of these turns it was faster
 * @param turns how many there were
 */
public record TuningResult(
        List<Trial> trials, Variant untuned, Optional<Trial> fastest, double gain, int won, int turns) {
    /** The least gain that is worth an entry. */
    private static final double CLEARLY = 1.02;

    /** The least share of turns won; of two that are equally fast, one wins 9 of 11 by luck once in 30 times. */
    private static final double MOSTLY = 0.8;

    /** Copies the list. */
    public TuningResult {
        trials = List.copyOf(trials);
    }

    /** Nothing was found that is faster than the untuned variant, or nothing that works. */
    static TuningResult of(List<Trial> trials, Variant untuned, Optional<Trial> fastest) {
        return new TuningResult(trials, untuned, fastest, 1, 0, 0);
    }

    /**
     * Whether the fastest is clearly better than the untuned one.
     *
     * @return false within 2 %, or if it lost more than two turns of eleven
     */
    public boolean isClearlyBetter() {
        return fastest.isPresent() && gain > CLEARLY && won >= MOSTLY * turns;
    }

    /**
     * Whether no variant computed something wrong and the untuned one computes at all.
     *
     * @return false if something must be mended
     */
    public boolean allRight() {
        return fastest.isPresent() && trials.stream().noneMatch(trial -> trial.outcome() == Trial.Outcome.WRONG);
    }
}
