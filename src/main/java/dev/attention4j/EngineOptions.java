package dev.attention4j;

import java.nio.file.Path;
import java.util.Objects;

/**
 * How an engine is opened; the defaults suit all but tests and benchmarks.
 *
 * @param plan one of {@link AttentionEngine#plans()}, or {@code auto} for the best that can do each call; on an OpenCL
 *     device a plan's tiles may follow, as in {@code
 *     rows:VECTOR_WIDTH=8,ROW_VECTORS=2,KEY_TILE=4,DIM_TILE=4,KEY_BLOCK=96}
 * @param threads threads of the engines that compute in Java; 0 for one per processor
 * @param maxScratchBytes the most device memory for intermediate results of one call; 0 for what the device allows
 * @param maxDeviceBytes the most memory that the engine takes on its device, the tensors of a call and those uploaded
 *     included: what needs more is computed in slices; 0 for what the device has
 * @param poison fills device memory with NaN before each use, so that a kernel that reads what nobody wrote is found;
 *     for tests
 * @param programCache where built kernels are kept between runs, a directory that only this user can write; null for
 *     the user's cache directory, in which {@code -Dattention4j.programs=off} keeps none
 * @param tuning where tiles that were measured to be fast are looked for
 */
public record EngineOptions(
        String plan,
        int threads,
        long maxScratchBytes,
        long maxDeviceBytes,
        boolean poison,
        Path programCache,
        Tuning tuning) {
    /** The plan that leaves the choice to the engine. */
    public static final String AUTO = "auto";

    /** Best plan, all processors, no poison. */
    public static final EngineOptions DEFAULT = new EngineOptions(AUTO, 0, 0, 0, false, null, Tuning.DEFAULT);

    /**
     * Refuses negative numbers.
     *
     * @throws IllegalArgumentException naming the number
     */
    public EngineOptions {
        Objects.requireNonNull(plan, "plan");
        Objects.requireNonNull(tuning, "tuning");
        if (threads < 0) {
            throw new IllegalArgumentException("threads: " + threads + ", must be 0 (all processors) or more");
        }
        if (maxScratchBytes < 0) {
            throw new IllegalArgumentException(
                    "maxScratchBytes: " + maxScratchBytes + ", must be 0 (what the device allows) or more");
        }
        if (maxDeviceBytes < 0) {
            throw new IllegalArgumentException(
                    "maxDeviceBytes: " + maxDeviceBytes + ", must be 0 (what the device has) or more");
        }
    }

    /**
     * Insists on one plan; a call that it cannot do is refused. Tiles that do not fit a call or the device make way for
     * the plan's own, and {@link AttentionEngine#explain} says so; what are no tiles of the plan at all is refused when
     * the engine is opened.
     *
     * @param newPlan one of {@link AttentionEngine#plans()}, with tiles behind a colon if any, or {@link #AUTO}
     * @return changed options
     */
    public EngineOptions withPlan(String newPlan) {
        return new EngineOptions(newPlan, threads, maxScratchBytes, maxDeviceBytes, poison, programCache, tuning);
    }

    /**
     * Sets the threads of an engine that computes in Java.
     *
     * @param newThreads 0 for one per processor
     * @return changed options
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withThreads(int newThreads) {
        return new EngineOptions(plan, newThreads, maxScratchBytes, maxDeviceBytes, poison, programCache, tuning);
    }

    /**
     * Bounds the memory for intermediate results.
     *
     * @param newMaxScratchBytes 0 for what the device allows
     * @return changed options
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withMaxScratchBytes(long newMaxScratchBytes) {
        return new EngineOptions(plan, threads, newMaxScratchBytes, maxDeviceBytes, poison, programCache, tuning);
    }

    /**
     * Bounds the memory that the engine takes on its device, to leave the rest to others: a call that needs more is
     * computed in slices over batch, heads and queries. Memory that the device shares with the host counts as well.
     *
     * @param newMaxDeviceBytes 0 for what the device has
     * @return changed options
     */
    public EngineOptions withMaxDeviceBytes(long newMaxDeviceBytes) {
        return new EngineOptions(plan, threads, maxScratchBytes, newMaxDeviceBytes, poison, programCache, tuning);
    }

    /**
     * Fills device memory with NaN before each use.
     *
     * @param newPoison for tests
     * @return changed options
     */
    public EngineOptions withPoison(boolean newPoison) {
        return new EngineOptions(plan, threads, maxScratchBytes, maxDeviceBytes, newPoison, programCache, tuning);
    }

    /**
     * Sets where built kernels are kept.
     *
     * @param newProgramCache null for the user's cache directory
     * @return changed options
     */
    public EngineOptions withProgramCache(Path newProgramCache) {
        return new EngineOptions(plan, threads, maxScratchBytes, maxDeviceBytes, poison, newProgramCache, tuning);
    }

    /**
     * Sets where tiles that were measured to be fast are looked for.
     *
     * @param newTuning {@link Tuning#OFF} for none
     * @return changed options
     */
    public EngineOptions withTuning(Tuning newTuning) {
        return new EngineOptions(plan, threads, maxScratchBytes, maxDeviceBytes, poison, programCache, newTuning);
    }
}
