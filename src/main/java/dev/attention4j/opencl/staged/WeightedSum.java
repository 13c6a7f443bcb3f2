package dev.attention4j.opencl.staged;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.Map;

/** Launches {@code opencl/staged/weighted_sum.cl}: the values, summed by the weights. */
final class WeightedSum {
    private final DeviceContext context;

    WeightedSum(DeviceContext context) {
        this.context = context;
    }

    void enqueue(Block block) {
        DeviceCall call = block.call();
        AttentionProblem problem = call.problem();
        Map<String, Object> defines = ProductKernel.defines(problem.dtype(), problem.attention());
        if (problem.attention().limitsKeys() || call.mask() != null || call.bias() != null) {
            defines.put("SKIP_MASKED", 1);
        }
        ProductKernel tiled = ProductKernel.build(context, "weighted_sum", "DIMS", "KEY_SLICE", defines);
        ClKernel.Arguments arguments =
                tiled.kernel().arguments().buffer(block.scores()).longInteger(block.scoresOffset());
        call.value()
                .asRows(arguments)
                .buffer(call.output())
                .integer(block.firstSlice())
                .integer(problem.queryHeads())
                .integer(block.group())
                .integer(block.firstQuery())
                .integer(problem.queryLength())
                .integer(block.queries())
                .integer(block.keys())
                .integer(problem.valueDim());
        KeyRanges.set(arguments, call, block.scores());
        context.queue()
                .launch(
                        tiled.kernel(),
                        tiled.tiling().global(block.queries(), problem.valueDim(), block.slices()),
                        tiled.tiling().group());
    }
}
