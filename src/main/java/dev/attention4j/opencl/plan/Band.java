package dev.attention4j.opencl.plan;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import java.util.Map;

/** The arguments and macros of {@code opencl/common/band.clh}. */
public final class Band {
    private Band() {}

    /**
     * Adds BANDED and OFFSETS_PER_BATCH where the operation has them.
     *
     * @param attention the operation
     * @param defines macro → value, added to
     */
    public static void define(Attention attention, Map<String, Object> defines) {
        if (attention.isBanded()) {
            defines.put("BANDED", 1);
            if (attention.offsets().length > 1) {
                defines.put("OFFSETS_PER_BATCH", 1);
            }
        }
    }

    /**
     * Sets offsets, offset, left and right.
     *
     * @param arguments of the kernel, at the offsets
     * @param call the call
     * @param unused any buffer, for the offsets if there are none
     * @return the same, after the band
     */
    public static ClKernel.Arguments set(ClKernel.Arguments arguments, DeviceCall call, ClBuffer unused) {
        AttentionProblem problem = call.problem();
        Attention attention = problem.attention();
        return arguments
                .buffer(call.offsets() == null ? unused : call.offsets())
                .integer(problem.batch() == 0 ? 0 : problem.offset(0))
                .integer(attention.windowLeft())
                .integer(attention.isCausal() ? 0 : attention.windowRight());
    }
}
