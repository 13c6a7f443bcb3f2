package dev.attention4j.opencl.staged;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.Map;

/** Launches {@code opencl/staged/weighted_sum.cl}: the values, summed by the weights. */
final class WeightedSum {
    private final DeviceContext context;

    WeightedSum(DeviceContext context) {
        this.context = context;
    }

    /** Whether the weights of masked keys are marked, and their values left out. */
    static boolean skipsMasked(DeviceCall call) {
        return call.problem().attention().limitsKeys() || call.mask() != null || call.bias() != null;
    }

    void enqueue(Block block) {
        DeviceCall call = block.call();
        AttentionProblem problem = call.problem();
        Map<String, Object> defines = ProductKernel.defines(problem.dtype(), problem.attention());
        if (skipsMasked(call)) {
            defines.put("SKIP_MASKED", 1);
        }
        ProductKernel product =
                ProductKernel.build(context, block.hasShortHeads(), "weighted_sum", "DIMS", "KEY_SLICE", defines);
        ClKernel.Arguments arguments =
                product.kernel().arguments().buffer(block.scores()).longInteger(block.scoresOffset());
        call.value().asRows(arguments).buffer(call.output());
        product.launch(context, block, arguments, problem.valueDim(), problem.valueDim());
    }
}
