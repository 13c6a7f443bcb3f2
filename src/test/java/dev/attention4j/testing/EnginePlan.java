package dev.attention4j.testing;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import java.util.ArrayList;
import java.util.List;

/**
 * An engine and one of its plans.
 *
 * @param info which engine
 * @param plan one of its plans
 */
public record EnginePlan(EngineInfo info, String plan) {
    /**
     * Every plan of some engines.
     *
     * @param engines opened for a moment, to be asked
     * @return in the order of engines and plans
     */
    public static List<EnginePlan> of(List<EngineInfo> engines) {
        List<EnginePlan> all = new ArrayList<>();
        for (EngineInfo info : engines) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                engine.plans().forEach(plan -> all.add(new EnginePlan(info, plan)));
            }
        }
        return all;
    }

    /**
     * Opens it with {@link TestEngines#options()}.
     *
     * @return to be closed by the caller
     */
    public AttentionEngine open() {
        return open(TestEngines.options());
    }

    /**
     * Opens it.
     *
     * @param options but for the plan
     * @return to be closed by the caller
     */
    public AttentionEngine open(EngineOptions options) {
        return AttentionEngine.open(info.id(), options.withPlan(plan));
    }

    @Override
    public String toString() {
        return info.id() + " " + plan;
    }
}
