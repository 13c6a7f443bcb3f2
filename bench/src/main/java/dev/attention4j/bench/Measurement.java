package dev.attention4j.bench;

import dev.attention4j.measure.Shape;

/**
 * The figures of one contender on one shape, or the reason why there are none.
 *
 * @param ownChoice whether the engine would have taken this plan by itself
 * @param outcome whether there are figures
 * @param reason why there are none; empty if there are
 * @param gflops useful GFLOP/s by the median
 * @param maxError the largest error against {@link #checkedAgainst}
 * @param readGbPerS how fast the device reads as many bytes as keys and values are, in turns with the contenders, 10⁹ a
 *     second; NaN unless the shape is a decoding step
 * @param multiplyAddGflops what the device reaches with multiply-adds alone, in turns with the contenders, GFLOP/s; NaN if
 *     the shape is a decoding step
 */
record Measurement(
        Shape shape,
        String contender,
        String plan,
        boolean peer,
        boolean ownChoice,
        Outcome outcome,
        String reason,
        double medianMs,
        double leastMs,
        double mostMs,
        double gflops,
        double maxError,
        double readGbPerS,
        double multiplyAddGflops,
        String checkedAgainst) {
    /** The outcome: figures, or whose doing it is that there are none. */
    enum Outcome {
        /** There are. */
        TIMED,
        /** It does not compute such a problem. */
        CANNOT,
        /** A call takes longer than anybody wants to wait for its median. */
        TOO_SLOW,
        /** It ought to, but did not, or not rightly. */
        FAILED
    }

    boolean isTimed() {
        return outcome == Outcome.TIMED;
    }
}
