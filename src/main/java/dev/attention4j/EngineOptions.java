package dev.attention4j;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * The options of opening an engine; the defaults suit all but tests and benchmarks. Immutable: each {@code with} method
 * returns changed options.
 */
public final class EngineOptions {
    /** The plan that leaves the choice to the engine. */
    public static final String AUTO = "auto";

    /** The best plan, and all processors. */
    public static final EngineOptions DEFAULT = new EngineOptions(new Values());

    private final Values values;

    /** All options; written to only before the options that hold them are made. */
    private static final class Values implements Cloneable {
        private String plan = AUTO;
        private int threads;
        private long maxScratchBytes;
        private long maxDeviceBytes;
        private Set<Extra> extras = Set.of();
        private Path programCache;
        private Tuning tuning = Tuning.DEFAULT;
        private Executor completionExecutor;

        private Values copy() {
            try {
                return (Values) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private EngineOptions(Values values) {
        this.values = values;
    }

    private EngineOptions with(Consumer<Values> change) {
        Values changed = values.copy();
        change.accept(changed);
        return new EngineOptions(changed);
    }

    /** {@return one of {@link AttentionEngine#plans()}, or {@link #AUTO} for the best plan of each call} */
    public String plan() {
        return values.plan;
    }

    /**
     * Insists on one plan; a call that it cannot compute is refused. On an OpenCL device a plan's tunables may follow, as in
     * {@code rows:VECTOR_WIDTH=8,ROW_VECTORS=2,KEY_TILE=4,DIM_TILE=4,KEY_BLOCK=96}. If they do not fit a call or the device,
     * the plan falls back to its own, and {@link AttentionEngine#explain} says so. Unknown tunables are refused when the
     * engine is opened.
     *
     * @param newPlan one of {@link AttentionEngine#plans()}, with tunables after a colon if any, or {@link #AUTO}
     */
    public EngineOptions withPlan(String newPlan) {
        return with(options -> options.plan = Objects.requireNonNull(newPlan, "plan"));
    }

    /** {@return the threads of an engine that computes in Java; 0 for one per processor} */
    public int threads() {
        return values.threads;
    }

    /**
     * Sets {@link #threads()}.
     *
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withThreads(int newThreads) {
        return with(options -> options.threads = (int) atLeast0("threads", newThreads, "all processors"));
    }

    /** {@return the most bytes on the device for intermediate results of one call; 0 for the most that the device allows} */
    public long maxScratchBytes() {
        return values.maxScratchBytes;
    }

    /**
     * Sets {@link #maxScratchBytes()}.
     *
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withMaxScratchBytes(long newMaxScratchBytes) {
        return with(options ->
                options.maxScratchBytes = atLeast0("maxScratchBytes", newMaxScratchBytes, "what the device allows"));
    }

    /** {@return the most bytes that the engine uses on its device; 0 for all of the device's memory} */
    public long maxDeviceBytes() {
        return values.maxDeviceBytes;
    }

    /**
     * Bounds the memory that the engine uses on its device, including the tensors of a call and those uploaded. A call that
     * needs more is computed in slices over batch, heads and queries. Memory that the
     * device shares with the host counts as well.
     *
     * @param newMaxDeviceBytes 0 for all of the device's memory
     * @throws IllegalArgumentException if negative
     */
    public EngineOptions withMaxDeviceBytes(long newMaxDeviceBytes) {
        return with(options ->
                options.maxDeviceBytes = atLeast0("maxDeviceBytes", newMaxDeviceBytes, "what the device has"));
    }

    /** An option that only some engines know, such as one for tests; for those who write engines. */
    public interface Extra {}

    /** {@return true if an option that only some engines know is on} */
    public boolean has(Extra extra) {
        return values.extras.contains(extra);
    }

    /** Switches an option that only some engines know on or off; for those who write engines. */
    public EngineOptions with(Extra extra, boolean on) {
        Set<Extra> extras = new HashSet<>(values.extras);
        if (on) {
            extras.add(Objects.requireNonNull(extra, "extra"));
        } else {
            extras.remove(extra);
        }
        return with(options -> options.extras = Set.copyOf(extras));
    }

    /** {@return the directory of built kernels; null for the user's cache directory} */
    public Path programCache() {
        return values.programCache;
    }

    /**
     * Sets the directory in which built kernels are kept between runs.
     *
     * @param newProgramCache a directory that only this user can write; null for the user's cache directory, in which
     *     {@code -Dattention4j.programs=off} keeps none; PoCL keeps builds in its own
     */
    public EngineOptions withProgramCache(Path newProgramCache) {
        return with(options -> options.programCache = newProgramCache);
    }

    /** {@return the source of tunables that were measured to be fast} */
    public Tuning tuning() {
        return values.tuning;
    }

    /** Sets {@link #tuning()}; {@link Tuning#OFF} for none. */
    public EngineOptions withTuning(Tuning newTuning) {
        return with(options -> options.tuning = Objects.requireNonNull(newTuning, "tuning"));
    }

    /** {@return the executor that completes futures; null for a few threads of this library, which all engines share} */
    public Executor completionExecutor() {
        return values.completionExecutor;
    }

    /**
     * Sets the executor that completes the futures of {@link AttentionEngine#attendAsync} and runs their callbacks, except
     * those with their own executor ({@code thenApplyAsync}). If it refuses, a thread of the engine does it.
     *
     * @param newCompletionExecutor null for a few threads of this library, which all engines share
     */
    public EngineOptions withCompletionExecutor(Executor newCompletionExecutor) {
        return with(options -> options.completionExecutor = newCompletionExecutor);
    }

    private static long atLeast0(String name, long value, String meaningOf0) {
        if (value < 0) {
            throw new IllegalArgumentException(name + ": " + value + ", must be 0 (" + meaningOf0 + ") or more");
        }
        return value;
    }
}
