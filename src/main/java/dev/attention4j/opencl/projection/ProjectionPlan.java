package dev.attention4j.opencl.projection;

import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.nio.FloatBuffer;
import java.util.Optional;

/** A way to compute projections, of one input to several outputs. */
public abstract class ProjectionPlan implements Plan<ProjectionPlan.Problem, ProjectionCall> {
    /**
     * All that a plan may decide by: weights are packed for one set of tunables, whatever their later use.
     *
     * @param inputs the number of products of a sum
     */
    public record Problem(int inputs) {
        /** The problem that an engine's tunables are chosen for. */
        public static final Problem USUAL = new Problem(4096);

        /** The record's own would be made at run time, in the first call. */
        @Override
        public int hashCode() {
            return inputs;
        }
    }

    /** The key of a built kernel. */
    record Build(int storage, Tunables tunables) {
        /** The record's own would be made at run time, in the first call. */
        @Override
        public int hashCode() {
            return storage * 31 + tunables.hashCode();
        }
    }

    final DeviceContext context;
    private final LoopLimit limit;

    ProjectionPlan(DeviceContext context) {
        this.context = context;
        limit = LoopLimit.of(context.device());
    }

    /** Returns the plan for a device's class. */
    public static ProjectionPlan of(DeviceContext context) {
        return context.device().isCpuClass() ? new ProjectRows(context) : new ProjectTiles(context);
    }

    /** Returns the columns of the weights that are packed side by side. */
    public abstract int panel(Tunables tunables);

    /** Returns the vectors of sums of a work-item. */
    abstract int sums(Tunables tunables);

    /** Launches a kernel for at most {@link ProjectionCall#MOST_TARGETS} targets. */
    abstract void launch(ProjectionCall call);

    /** Returns why the device would cut the loops of a projection short; empty if it would not. */
    public final Optional<String> loopExcess(Problem problem, Tunables tunables) {
        return limit.isNone() ? Optional.empty() : limit.whyNotProject(problem.inputs(), sums(tunables));
    }

    @Override
    public final void enqueue(ProjectionCall call) {
        if (call.positions() == 0 || call.widest() == 0) {
            return;
        }
        if (!limit.isNone()) {
            loopExcess(new Problem(call.inputs()), call.tunables()).ifPresent(excess -> {
                throw new DeviceException(
                        "a projection of " + call.inputs() + " inputs: " + excess + "; " + limit.advice());
            });
        }
        for (ProjectionCall launch : call.launches()) {
            launch(launch);
        }
    }

    /**
     * Packs weights, [inputs, heads, width] of any float type, and their bias, [heads, width] or null, as {@code
     * opencl/projection/project_call.clh} reads them: in panels of neighbouring columns, [panels, 1 + inputs, panel] in
     * float32, 0 beyond the last column.
     */
    public static Tensor pack(Tensor weights, Tensor bias, int panel) {
        int inputs = Math.toIntExact(weights.size(0));
        int columns = Math.toIntExact(weights.size(1) * weights.size(2));
        int panels = (columns + panel - 1) / panel;
        Tensor packed = Tensor.zeros(DType.FLOAT32, panels, 1 + inputs, panel);
        FloatBuffer target = packed.floats();
        FloatBuffer source = floats(weights);
        FloatBuffer biases = bias == null ? null : floats(bias);
        for (int n = 0; n < panels; n++) {
            int first = n * panel;
            int count = Math.min(panel, columns - first);
            int at = n * (1 + inputs) * panel;
            if (biases != null) {
                target.put(at, biases, first, count);
            }
            for (int input = 0; input < inputs; input++) {
                target.put(at + (1 + input) * panel, source, input * columns + first, count);
            }
        }
        return packed;
    }

    private static FloatBuffer floats(Tensor tensor) {
        return tensor.contiguous().to(DType.FLOAT32).floats();
    }
}
