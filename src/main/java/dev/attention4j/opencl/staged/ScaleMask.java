package dev.attention4j.opencl.staged;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;

/** Launches {@code opencl/staged/scale_mask.cl}: scale, softcap, bias and masks on the scores, in place. */
final class ScaleMask {
    private static final int GROUP_ITEMS = 64;

    private final DeviceContext context;

    ScaleMask(DeviceContext context) {
        this.context = context;
    }

    void enqueue(Block block) {
        if (block.keys() == 0) {
            return;
        }
        DeviceCall call = block.call();
        AttentionProblem problem = call.problem();
        Attention attention = problem.attention();
        Map<String, Object> defines = new HashMap<>();
        defines.put("GROUP_ITEMS", GROUP_ITEMS);
        if (attention.limitsKeys()) {
            defines.put("LIMITS_KEYS", 1);
        }
        if (call.keyRanges() != null) {
            defines.put("KEY_RANGES", 1);
        }
        if (call.alibiSlopes() != null) {
            defines.put("ALIBI", 1);
        }
        if (attention.softcap().isPresent()) {
            defines.put("SOFTCAP", 1);
        }
        if (call.mask() != null) {
            defines.put("MASK", 1);
        }
        if (call.bias() != null) {
            defines.put("BIAS", 1);
        }
        ClKernel kernel = context.kernel("staged/scale_mask.cl", "scale_mask", defines);
        ClKernel.Arguments arguments = kernel.arguments()
                .buffer(block.scores())
                .longInteger(block.scoresOffset())
                .integer(block.firstSlice())
                .integer(problem.queryHeads())
                .integer(block.firstQuery())
                .integer(problem.queryLength())
                .integer(block.queries())
                .integer(block.keys())
                .real((float) problem.scale())
                .real((float) attention.softcap().orElse(0));
        KeyRanges.set(arguments, call, block.scores());
        KeyRanges.setAlibi(arguments, call, block.scores());
        Operand none = new Operand(block.scores(), 0, new long[4]);
        (call.mask() == null ? none : call.mask()).asElements(arguments);
        (call.bias() == null ? none : call.bias()).asElements(arguments);
        long[] global = {Block.ceilDiv(block.keys(), GROUP_ITEMS) * GROUP_ITEMS, block.queries(), block.slices()};
        context.queue().launch(kernel, global, new long[] {GROUP_ITEMS, 1, 1});
    }
}
