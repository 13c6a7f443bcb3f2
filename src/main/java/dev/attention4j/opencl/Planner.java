package dev.attention4j.opencl;

import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineOptions;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.staged.StagedPlan;
import java.util.List;
import java.util.Optional;

/**
 * Picks the plan for a problem and its tunables: the caller's choice, or the first that can do it.
 *
 * <p>Called under the engine's lock: whether tunables fit may be found out by building a kernel.
 */
final class Planner {
    /**
     * What was picked.
     *
     * @param plan the plan
     * @param tunables that fit the problem
     * @param why part of a line
     */
    record Choice(Plan plan, Tunables tunables, String why) {}

    private final List<Plan> plans;
    private final String className;
    private final Variant wanted;

    Planner(DeviceContext context, String wanted) {
        Plan staged = new StagedPlan(context);
        Plan rows = new ForwardRows(context);
        // A work-group of one work-item suits a CPU's vector units and would leave a GPU idle.
        plans = context.device().type() == ClDevice.Type.CPU ? List.of(rows, staged) : List.of(staged, rows);
        className = context.device().type() == ClDevice.Type.CPU ? "CPU-class" : "GPU-class";
        this.wanted = Variant.parse(wanted);
        if (isAuto() ? !this.wanted.tunables().equals(Tunables.NONE) : !names().contains(this.wanted.plan())) {
            throw new IllegalArgumentException("plan: \"" + wanted + "\", must be \"" + EngineOptions.AUTO
                    + "\" or one of " + names() + " on " + context.device().name()
                    + ", with tunables behind a colon if any");
        }
    }

    private boolean isAuto() {
        return wanted.plan().equals(EngineOptions.AUTO);
    }

    List<String> names() {
        return plans.stream().map(Plan::name).toList();
    }

    Choice choose(AttentionProblem problem) {
        String refused = "";
        for (Plan plan : plans) {
            if (!isAuto() && !wanted.plan().equals(plan.name())) {
                continue;
            }
            Optional<String> refusal = plan.refusal(problem);
            if (refusal.isPresent()) {
                refused = refusal.get();
                continue;
            }
            String unfit = "";
            if (!wanted.tunables().equals(Tunables.NONE)) {
                Optional<String> misfit = plan.misfit(problem, wanted.tunables());
                if (misfit.isEmpty()) {
                    return new Choice(plan, wanted.tunables(), "asked for");
                }
                unfit = "; what was asked for does not fit: " + misfit.get();
            }
            for (Tunables tunables : plan.defaults(problem)) {
                Optional<String> misfit = plan.misfit(problem, tunables);
                if (misfit.isEmpty()) {
                    String why = (isAuto() ? "" : "asked for, ") + "default for " + className + " devices" + unfit;
                    return new Choice(plan, tunables, why);
                }
                refused = misfit.get();
            }
        }
        throw new UnsupportedPlanException(wanted.toString(), refused);
    }

    String explain(AttentionProblem problem) {
        Choice choice = choose(problem);
        return choice.plan().name() + " (" + choice.why() + "): "
                + choice.plan().describe(problem, choice.tunables());
    }
}
