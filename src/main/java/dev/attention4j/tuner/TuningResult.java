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
 */
public record TuningResult(List<Trial> trials, Variant untuned, Optional<Trial> fastest, double gain) {
    /** The least gain that is more than noise. */
    private static final double CLEARLY = 1.02;

    /**
     * Whether the fastest is clearly better than the untuned one.
     *
     * @return false within 2 %
     */
    public boolean isClearlyBetter() {
        return fastest.isPresent() && gain > CLEARLY;
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
