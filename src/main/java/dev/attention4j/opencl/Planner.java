package dev.attention4j.opencl;

import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineOptions;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.staged.StagedPlan;
import java.util.List;
import java.util.Optional;

/** Picks the plan for a problem: the caller's choice, or the first that can do it. */
final class Planner {
    private final List<Plan> plans;
    private final String wanted;

    Planner(DeviceContext context, String wanted) {
        Plan staged = new StagedPlan(context);
        Plan rows = new ForwardRows(context);
        Plan tiles = new ForwardTiles(context);
        // A work-group of one work-item suits a CPU's vector units and would leave a GPU idle; many work-items that meet at
        // barriers suit a GPU, and a CPU only as a test.
        plans = context.device().type() == ClDevice.Type.CPU
                ? List.of(rows, tiles, staged)
                : List.of(tiles, staged, rows);
        this.wanted = wanted;
        if (!wanted.equals(EngineOptions.AUTO) && !names().contains(wanted)) {
            throw new IllegalArgumentException("plan: \"" + wanted + "\", must be \"" + EngineOptions.AUTO
                    + "\" or one of " + names() + " on " + context.device().name());
        }
    }

    List<String> names() {
        return plans.stream().map(Plan::name).toList();
    }

    Plan choose(AttentionProblem problem) {
        String refused = "";
        for (Plan plan : plans) {
            if (!wanted.equals(EngineOptions.AUTO) && !wanted.equals(plan.name())) {
                continue;
            }
            Optional<String> refusal = plan.refusal(problem);
            if (refusal.isEmpty()) {
                return plan;
            }
            refused = refusal.get();
        }
        throw new UnsupportedPlanException(wanted, refused);
    }

    String explain(AttentionProblem problem) {
        Plan plan = choose(problem);
        String why = wanted.equals(EngineOptions.AUTO) ? "the first that can do it" : "asked for";
        return plan.name() + " (" + why + "): " + plan.describe(problem);
    }
}
