package dev.attention4j;

/**
 * The plan that an engine was opened with ({@link EngineOptions#withPlan}) cannot do this call, though another plan of
 * the engine can: weights from a plan that never holds them, for one. An engine opened with {@link EngineOptions#AUTO}
 * throws it only where a bug of the driver, which the message names, leaves no plan that would be right.
 */
public class UnsupportedPlanException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /**
     * Names the plan.
     *
     * @param plan the plan that was insisted on
     * @param reason what it cannot do, and which plan can
     */
    public UnsupportedPlanException(String plan, String reason) {
        super("plan: \"" + plan + "\" cannot do this call: " + reason);
    }
}
