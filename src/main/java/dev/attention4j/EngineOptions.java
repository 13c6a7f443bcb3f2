package dev.attention4j;

import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Executor;

/**
 * How an engine is opened; the defaults suit all but tests and benchmarks. Immutable: each {@code with} method returns
 * changed options.
 */
public final class EngineOptions {
    /** The plan that leaves the choice to the engine. */
    public static final String AUTO = "auto";

    /** Best plan, all processors, no poison. */
    public static final EngineOptions DEFAULT = new EngineOptions(new Draft());

    private final String plan;
    private final int threads;
    private final long maxScratchBytes;
    private final long maxDeviceBytes;
    private final boolean poison;
    private final Path programCache;
    private final Tuning tuning;
    private final Executor completionExecutor;

    /** Options in the making. */
    private static final class Draft {
        private String plan = AUTO;
        private int threads;
        private long maxScratchBytes;
        private long maxDeviceBytes;
        private boolean poison;
        private Path programCache;
        private Tuning tuning = Tuning.DEFAULT;
        private Executor completionExecutor;

        private Draft() {}

        private Draft(EngineOptions from) {
            plan = from.plan;
            threads = from.threads;
            maxScratchBytes = from.maxScratchBytes;
            maxDeviceBytes = from.maxDeviceBytes;
            poison = from.poison;
            programCache = from.programCache;
            tuning = from.tuning;
            completionExecutor = from.completionExecutor;
        }
    }

    private EngineOptions(Draft draft) {
        plan = Objects.requireNonNull(draft.plan, "plan");
        tuning = Objects.requireNonNull(draft.tuning, "tuning");
        threads = draft.threads;
        maxScratchBytes = draft.maxScratchBytes;
        maxDeviceBytes = draft.maxDeviceBytes;
        poison = draft.poison;
        programCache = draft.programCache;
        completionExecutor = draft.completionExecutor;
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
     * The plan insisted on.
     *
     * @return one of {@link AttentionEngine#plans()}, or {@link #AUTO} for the best that can do each call
     */
    public String plan() {
        return plan;
    }

    /**
     * Insists on one plan; a call that it cannot do is refused. On an OpenCL device a plan's tiles may follow, as in
     * {@code rows:VECTOR_WIDTH=8,ROW_VECTORS=2,KEY_TILE=4,DIM_TILE=4,KEY_BLOCK=96}. Tiles that do not fit a call or the
     * device make way for the plan's own, and {@link AttentionEngine#explain} says so; what are no tiles of the plan at
     * all is refused when the engine is opened.
     *
     * @param newPlan one of {@link AttentionEngine#plans()}, with tiles behind a colon if any, or {@link #AUTO}
     * @return changed options
     */
    public EngineOptions withPlan(String newPlan) {
        Draft draft = new Draft(this);
        draft.plan = newPlan;
        return new EngineOptions(draft);
    }

    /**
     * The threads of an engine that computes in Java.
     *
     * @return 0 for one per processor
     */
    public int threads() {
        return threads;
    }

    /**
     * Sets the threads of an engine that computes in Java.
     *
     * @param newThreads 0 for one per processor
     * @return changed options
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withThreads(int newThreads) {
        Draft draft = new Draft(this);
        draft.threads = newThreads;
        return new EngineOptions(draft);
    }

    /**
     * The most device memory for intermediate results of one call.
     *
     * @return bytes; 0 for what the device allows
     */
    public long maxScratchBytes() {
        return maxScratchBytes;
    }

    /**
     * Bounds the memory for intermediate results.
     *
     * @param newMaxScratchBytes 0 for what the device allows
     * @return changed options
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withMaxScratchBytes(long newMaxScratchBytes) {
        Draft draft = new Draft(this);
        draft.maxScratchBytes = newMaxScratchBytes;
        return new EngineOptions(draft);
    }

    /**
     * The most memory that the engine takes on its device.
     *
     * @return bytes; 0 for what the device has
     */
    public long maxDeviceBytes() {
        return maxDeviceBytes;
    }

    /**
     * Bounds the memory that the engine takes on its device, the tensors of a call and those uploaded included, to leave
     * the rest to others: a call that needs more is computed in slices over batch, heads and queries. Memory that the
     * device shares with the host counts as well.
     *
     * @param newMaxDeviceBytes 0 for what the device has
     * @return changed options
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withMaxDeviceBytes(long newMaxDeviceBytes) {
        Draft draft = new Draft(this);
        draft.maxDeviceBytes = newMaxDeviceBytes;
        return new EngineOptions(draft);
    }

    /**
     * Whether device memory is filled with NaN before each use.
     *
     * @return true in tests
     */
    public boolean poison() {
        return poison;
    }

    /**
     * Fills device memory with NaN before each use, so that a kernel that reads what nobody wrote is found. Tiny
     * problems are left to kernels too, which are else computed on the host where the device is the host's processor.
     *
     * @param newPoison for tests
     * @return changed options
     */
    public EngineOptions withPoison(boolean newPoison) {
        Draft draft = new Draft(this);
        draft.poison = newPoison;
        return new EngineOptions(draft);
    }

    /**
     * Where built kernels are kept between runs.
     *
     * @return null for the user's cache directory
     */
    public Path programCache() {
        return programCache;
    }

    /**
     * Sets where built kernels are kept between runs.
     *
     * @param newProgramCache a directory that only this user can write; null for the user's cache directory, in which
     *     {@code -Dattention4j.programs=off} keeps none
     * @return changed options
     */
    public EngineOptions withProgramCache(Path newProgramCache) {
        Draft draft = new Draft(this);
        draft.programCache = newProgramCache;
        return new EngineOptions(draft);
    }

    /**
     * Where tiles that were measured to be fast are looked for.
     *
     * @return not null
     */
    public Tuning tuning() {
        return tuning;
    }

    /**
     * Sets where tiles that were measured to be fast are looked for.
     *
     * @param newTuning {@link Tuning#OFF} for none
     * @return changed options
     */
    public EngineOptions withTuning(Tuning newTuning) {
        Draft draft = new Draft(this);
        draft.tuning = newTuning;
        return new EngineOptions(draft);
    }

    /**
     * What completes the futures of {@link AttentionEngine#attendAsync}.
     *
     * @return null for a few threads of this library, which all engines share
     */
    public Executor completionExecutor() {
        return completionExecutor;
    }

    /**
     * Sets what completes the futures of {@link AttentionEngine#attendAsync}, and so runs what is attached to them, unless
     * that names an executor of its own ({@code thenApplyAsync}). Where it refuses, a thread of the engine does it.
     *
     * @param newCompletionExecutor null for a few threads of this library, which all engines share
     * @return changed options
     */
    public EngineOptions withCompletionExecutor(Executor newCompletionExecutor) {
        Draft draft = new Draft(this);
        draft.completionExecutor = newCompletionExecutor;
        return new EngineOptions(draft);
    }
}
