package dev.attention4j.opencl.plan;

import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import java.util.Locale;
import java.util.Optional;

/**
 * How many iterations a device lets the loops of a work-item have ({@link Quirk#LOOPS_END}), and how they are counted.
 *
 * <p>Behind the last one every loop ends after one more, whatever its condition says, and the result is wrong without
 * an error. So a plan says how many a problem takes, and what would take more is refused.
 *
 * <p>Counted as measured on llvmpipe of Mesa 22.3: one counter for a work-item and all its loops; a loop of n costs n +
 * 1, because the test that ends it is an iteration too; pragmas unroll nothing in kernels of this size, but a loop that
 * is known to run once is none; and the loops of a branch that is not taken cost one each.
 *
 * @param most iterations of a work-item
 * @param device whose limit it is, for messages
 */
public record LoopLimit(long most, String device) {
    /** That of devices that let loops run. */
    public static final LoopLimit NONE = new LoopLimit(Long.MAX_VALUE, "");

    /** More than there are loops in any branch of a kernel: what one costs that is not taken. */
    public static final long UNTAKEN = 32;

    private static final long LLVMPIPE = 65_535;

    /**
     * A device's limit.
     *
     * @param device any
     * @return {@link #NONE} unless it has the quirk
     */
    public static LoopLimit of(ClDevice device) {
        return device.quirks().has(Quirk.LOOPS_END) ? new LoopLimit(LLVMPIPE, device.toString()) : NONE;
    }

    /**
     * Why a work-item may not have so many iterations.
     *
     * @param iterations at most so many, as {@link #loop} and {@link #fixed} count them
     * @return empty if it may
     */
    public Optional<String> excess(long iterations) {
        return iterations <= most
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "loops of up to %,d iterations, which the driver ends after %,d (a bug)",
                        iterations,
                        most));
    }

    /**
     * What to do where {@link #excess} refuses.
     *
     * @return part of a line
     */
    public String advice() {
        return device + " can do smaller problems only; take another device, or the engine \"cpu\"";
    }

    /**
     * What a loop costs.
     *
     * @param times how often it runs at most
     * @param inside what each loop inside of it costs
     * @return iterations of all; huge numbers stay huge
     */
    public static long loop(long times, long... inside) {
        // In double, which does not overflow, and is exact as far as limits go.
        return (long) (1 + times * (1.0 + sum(inside)));
    }

    /**
     * What a loop costs that always runs as often, so that the compiler knows it.
     *
     * @param times how often it runs
     * @param inside what each loop inside of it costs
     * @return iterations of all
     */
    public static long fixed(long times, long... inside) {
        return times == 1 ? (long) sum(inside) : loop(times, inside);
    }

    private static double sum(long... costs) {
        double sum = 0;
        for (long cost : costs) {
            sum += cost;
        }
        return sum;
    }
}
