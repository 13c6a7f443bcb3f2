package dev.attention4j.opencl.plan;

import dev.attention4j.opencl.runtime.ClDevice;
import java.util.List;
import java.util.Optional;

/**
 * A way to compute problems of one kind on a device, with tunables that fit the problem.
 *
 * @param <P> all that it may decide by: the planner keeps its answers by it
 * @param <C> a call of it
 */
public interface Plan<P, C> {
    /** The name by which the plan is asked for and tuned: short, lower case. */
    String name();

    /** Returns why this plan cannot compute a problem, whatever its tunables; empty if it can. */
    default Optional<String> whyNot(P problem) {
        return Optional.empty();
    }

    /**
     * Returns whether the plan is made for such a problem. Others are left to the plans after it, unless it is asked for
     * or was tuned.
     */
    default boolean suits(P problem) {
        return true;
    }

    /**
     * Returns whether it computes in Java, from and to tensors in host memory, and enqueues nothing. Such a plan has
     * nothing to tune.
     */
    default boolean isOnHost() {
        return false;
    }

    /** The values that this plan's tunables may have. */
    default TunableSpace<?> tunableSpace() {
        return TunableSpace.NONE;
    }

    /**
     * Returns the tunables for this class of devices, if none were measured: the best guess first, then ever smaller
     * tiles, for problems and devices that the ones before do not fit. At least one for a problem that it can compute.
     */
    default List<Tunables> defaults(P problem) {
        return List.of(Tunables.NONE);
    }

    /** Returns what is worth timing for a problem in addition: a few dozen at most, since each is compiled. */
    default List<Tunables> candidates(P problem) {
        return defaults(problem);
    }

    /**
     * Returns why this plan cannot compute a problem that it does not refuse with these tunables, which may come from a
     * file: they are not in its space, or the device cannot take them. Called under the engine's lock, because it may
     * build kernels.
     */
    default Optional<String> whyNot(P problem, Tunables tunables) {
        return tunableSpace().whyNot(tunables);
    }

    /** Returns why a device cannot take a work-group; empty if it can. A kernel as built may still want smaller ones. */
    static Optional<String> whyNotGroup(ClDevice device, int items, long localBytes) {
        if (items > device.maxWorkGroupSize()) {
            return Optional.of("work-groups of " + items + ", the device takes at most " + device.maxWorkGroupSize());
        }
        return localBytes <= device.localMemoryBytes()
                ? Optional.empty()
                : Optional.of(localBytes + " bytes of local memory, the device has " + device.localMemoryBytes());
    }

    /** Returns how this plan would compute a problem with tunables that fit it, as part of a line. */
    String describe(P problem, Tunables tunables);

    /** Enqueues all kernels of a call; waits for nothing. Called under the engine's lock. */
    void enqueue(C call);
}
