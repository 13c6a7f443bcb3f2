package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;

/**
 * What became of a variant.
 *
 * @param variant plan and tunables
 * @param outcome how far it came
 * @param milliseconds of a call: the median of all rounds, or the least of the first looks if it came no further; NaN
 *     if not timed
 * @param ratio how many times as fast as the untuned variant was in the same rounds or looks; NaN if not timed
 * @param detail what is wrong with it; empty if nothing
 */
public record Trial(Variant variant, Outcome outcome, double milliseconds, double ratio, String detail) {
    /** How far a variant came. */
    public enum Outcome {
        /** It was among the fastest and was timed in every round. */
        TIMED,
        /** It is right, but a first look showed that it is far from the fastest. */
        SLOW,
        /** It was left out: what its plan takes by itself is many times as slow as another plan. */
        NOT_TRIED,
        /** It did not compute: it does not build, or the device refuses it. */
        FAILED,
        /** It computed something else than the oracle. */
        WRONG
    }
}
