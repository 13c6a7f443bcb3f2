package dev.attention4j;

/**
 * Thrown if the plan that an engine was opened with ({@link EngineOptions#withPlan}) cannot compute a call, although
 * another plan of the engine can: for example, weights from a plan that never stores them. An engine opened with {@link
 * EngineOptions#AUTO} throws it only if a bug of the driver, which the message names, leaves no plan that is right.
 */
public class UnsupportedPlanException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /**
     * Names the plan.
     *
     * @param plan the plan of the options
     * @param reason the part of the call that it cannot compute, and a plan that can
     */
    public UnsupportedPlanException(String plan, String reason) {
        super("plan: \"" + plan + "\" cannot do this call: " + reason);
    }
}
