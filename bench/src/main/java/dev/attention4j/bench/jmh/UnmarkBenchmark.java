package dev.attention4j.bench.jmh;

import dev.attention4j.AttentionProblem;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;

/** {@code staged/unmark.cl}, which is launched where weights are asked for and a mask is given. */
public class UnmarkBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public UnmarkBenchmark() {
        super("unmark", "staged", LONG + ":causal");
    }

    @Override
    Inputs inputs(AttentionShape given) {
        Inputs inputs = super.inputs(given);
        AttentionProblem problem = given.problem(
                inputs.dtype(),
                inputs.problem().attention().toBuilder().weights(true).build());
        return new Inputs(given, problem, inputs.query(), inputs.key(), inputs.value());
    }
}
