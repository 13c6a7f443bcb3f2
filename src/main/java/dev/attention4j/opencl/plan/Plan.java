package dev.attention4j.opencl.plan;

import dev.attention4j.AttentionProblem;
import java.util.Optional;

/** A way to compute attention with kernels. */
public interface Plan {
    /**
     * Its name for {@link dev.attention4j.EngineOptions#withPlan}.
     *
     * @return short, lower case
     */
    String name();

    /**
     * Why this plan cannot compute a problem.
     *
     * @param problem any
     * @return empty if it can
     */
    Optional<String> refusal(AttentionProblem problem);

    /**
     * How this plan would compute a problem here: tiles, slices.
     *
     * @param problem one that it does not refuse
     * @return part of a line
     */
    String describe(AttentionProblem problem);

    /**
     * Enqueues all kernels of a call; waits for nothing. Called under the engine's lock.
     *
     * @param call what to compute, with what memory
     */
    void enqueue(DeviceCall call);
}
