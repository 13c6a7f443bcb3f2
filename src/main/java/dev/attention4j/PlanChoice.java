package dev.attention4j;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The plan that an engine chooses for a problem, and why.
 *
 * @param plan the plan's name, one of {@link AttentionEngine#plans()}
 * @param tunables the numbers that shape its tiles: macro → value; empty if it has none
 * @param why the source of plan and tunables, such as "default for CPU-class devices"; empty for an engine's only plan
 * @param description the way in which the plan computes the problem
 */
public record PlanChoice(String plan, Map<String, Integer> tunables, String why, String description) {
    /** Copies the tunables, in their order. */
    public PlanChoice {
        tunables = Collections.unmodifiableMap(new LinkedHashMap<>(tunables));
    }

    /** Returns all but the tunables in one line, for people. */
    @Override
    public String toString() {
        return plan + (why.isEmpty() ? "" : " (" + why + ")") + ": " + description;
    }
}
