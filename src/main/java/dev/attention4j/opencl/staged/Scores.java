package dev.attention4j.opencl.staged;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;

/** Launches {@code opencl/staged/scores.cl}: the dot product of each query with each key. */
final class Scores {
    private final DeviceContext context;

    Scores(DeviceContext context) {
        this.context = context;
    }

    void enqueue(Block block) {
        if (block.keys() == 0) {
            return;
        }
        DeviceCall call = block.call();
        AttentionProblem problem = call.problem();
        ProductKernel product = ProductKernel.build(
                context,
                block.hasShortHeads(),
                "scores",
                "KEYS",
                "DIM_SLICE",
                ProductKernel.defines(problem.dtype(), problem.attention()));
        ClKernel.Arguments arguments = product.kernel().arguments();
        call.query().asRows(arguments);
        call.key().asRows(arguments).buffer(block.scores()).longInteger(block.scoresOffset());
        product.launch(context, block, arguments, problem.headDim(), block.keys());
    }
}
