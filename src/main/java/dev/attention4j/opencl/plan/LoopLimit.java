package dev.attention4j.opencl.plan;

import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import java.util.Locale;
import java.util.Optional;

/**
 * The number of loop iterations that a device grants a work-item ({@link Quirk#LOOP_LIMIT}). After the limit every loop
 * exits and the result is wrong without an error, so whatever might exceed it is refused.
 *
 * <p>The iterations are bounded by the size of the problem, with factors that hold for every tile size and option of a
 * plan: they were fitted to counts of the kernels' loops over some 150,000 combinations of sizes and tunables.
 *
 * @param most iterations of a work-item
 */
public record LoopLimit(long most, String device) {
    /** The limit of devices whose loops run to their end. */
    public static final LoopLimit NONE = new LoopLimit(Long.MAX_VALUE, "");

    /** The limit of llvmpipe (Mesa 22.3). */
    private static final long LLVMPIPE = 65_535;

    /** Returns the limit of a device; {@link #NONE} unless it has the quirk. */
    public static LoopLimit of(ClDevice device) {
        return device.quirks().has(Quirk.LOOP_LIMIT) ? new LoopLimit(LLVMPIPE, device.toString()) : NONE;
    }

    /** Returns whether this is no limit; a record's equals would be made at run time, in the first call. */
    public boolean isNone() {
        return most == NONE.most;
    }

    /** Returns why a plan may not compute a problem; empty if it may. */
    public Optional<String> whyNot(String plan, Workload problem, AttentionPlan.Division division) {
        double keys = problem.keyLength();
        double widths = (double) problem.headDim() + problem.valueDim();
        return whyNotIterations(
                switch (plan) {
                    case "staged" -> 14 * (Math.max(keys, problem.headDim()) + 64);
                    case "tiles" -> (keys + 16) * (widths + 128);
                    default -> 1.25 * Math.max(division.groupRows(), 2) * (keys + 8) * (widths + 64);
                });
    }

    /**
     * Returns why a projection may not have this many inputs, where a work-item computes this many vectors of sums;
     * empty if it may.
     */
    public Optional<String> whyNotProject(int inputs, int sums) {
        return whyNotIterations((5.0 * sums + 4) * (inputs + 64.0));
    }

    /** Returns why a work-item may not have this many iterations; empty if it may. */
    public Optional<String> whyNotIterations(double iterations) {
        return iterations <= most
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "loops of up to %,.0f iterations, which the driver ends after %,d (a bug)",
                        iterations,
                        most));
    }

    /** Returns what to do instead: the end of a message. */
    public String advice() {
        return device + " can do smaller problems only; take another device, or the engine \"cpu\"";
    }
}
