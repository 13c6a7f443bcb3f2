package dev.attention4j.opencl.plan;

import dev.attention4j.AttentionProblem;
import java.util.List;
import java.util.Optional;

/**
 * A way to compute attention with kernels. What it says of a problem depends on its shapes, storage, whether it is
 * causal, whether it has a mask or a bias and whether weights are wanted, and on nothing else: the planner asks once.
 */
public interface Plan {
    /**
     * Its name for {@link dev.attention4j.EngineOptions#withPlan}.
     *
     * @return short, lower case
     */
    String name();

    /**
     * Returns why this plan cannot compute a problem, whatever its tunables.
     *
     * @param problem any
     * @return empty if it can
     */
    Optional<String> whyNot(AttentionProblem problem);

    /** Returns why a plan that never holds the weights cannot compute a problem; empty if it does not want them. */
    static Optional<String> withoutWeights(AttentionProblem problem) {
        return problem.attention().wantsWeights()
                ? Optional.of("it never holds the weights; the plan staged returns them")
                : Optional.empty();
    }

    /**
     * Whether a problem is of the kind that this plan is made for. Others are left to the plans behind it, unless it is
     * asked for or was tuned.
     *
     * @param problem any
     * @return true unless the plan is a specialist
     */
    default boolean suits(AttentionProblem problem) {
        return true;
    }

    /**
     * Whether it computes in Java, from and to tensors in host memory, and enqueues nothing. Such a plan has nothing to
     * tune.
     *
     * @return false for plans of kernels
     */
    default boolean isOnHost() {
        return false;
    }

    /**
     * What suits this class of devices, if nobody has tuned it: the best guess first, then ever smaller tiles, for
     * problems and devices that the ones before do not fit.
     *
     * @param problem one that it does not refuse
     * @return at least one
     */
    default List<Tunables> defaults(AttentionProblem problem) {
        return List.of(Tunables.NONE);
    }

    /**
     * What is worth timing for a problem here; a few dozen at most, since each is compiled.
     *
     * @param problem one that it does not refuse
     * @return with or without those of {@link #defaults}
     */
    default List<Tunables> candidates(AttentionProblem problem) {
        return defaults(problem);
    }

    /** Returns what this plan's tunables may be. */
    default TunableSpace tunableSpace() {
        return TunableSpace.NONE;
    }

    /**
     * Returns why this plan cannot compute a problem with these tunables: they are not in its space, too much local memory,
     * or a built kernel whose work-group limit is smaller. Called under the engine's lock, because it may build kernels.
     *
     * @param problem one that {@link #whyNot(AttentionProblem)} allows
     * @param tunables any, for they may come from a file
     * @return empty if it can
     */
    default Optional<String> whyNot(AttentionProblem problem, Tunables tunables) {
        return tunableSpace().whyNot(tunables);
    }

    /**
     * How this plan would compute a problem here: tiles, slices.
     *
     * @param problem one that it does not refuse
     * @param tunables that fit it
     * @return part of a line
     */
    String describe(AttentionProblem problem, Tunables tunables);

    /**
     * How this plan divides a problem's work here.
     *
     * @param problem the whole of a call, that it does not refuse
     * @param tunables that fit it
     * @param maxScratchBytes the most scratch that the engine's options allow; 0 to leave it to the plan
     * @return for all slices of the call
     */
    Division division(AttentionProblem problem, Tunables tunables, long maxScratchBytes);

    /**
     * The scratch without which it cannot do a problem.
     *
     * @param problem one that it does not refuse, or a slice of one
     * @param division of the whole
     * @return bytes at a time
     */
    default long leastScratchBytes(AttentionProblem problem, Division division) {
        return 0;
    }

    /**
     * Enqueues all kernels of a call; waits for nothing. Called under the engine's lock.
     *
     * @param call what to compute, with what memory and tunables
     */
    void enqueue(DeviceCall call);
}
