package dev.attention4j.opencl;

import dev.attention4j.opencl.fused.ForwardDecode;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.staged.StagedPlan;
import java.util.List;

/** The plans that there are, in the order that suits a class of devices. */
final class Plans {
    private Plans() {}

    static List<Plan> of(DeviceContext context) {
        Plan staged = new StagedPlan(context);
        Plan rows = new ForwardRows(context);
        Plan decode = new ForwardDecode(context);
        Plan tiles = new ForwardTiles(context);
        // A work-group of one work-item suits a CPU's vector units and would leave a GPU idle; many work-items that
        // meet
        // at barriers suit a GPU, and a CPU only as a test.
        return isCpuClass(context) ? List.of(decode, rows, tiles, staged) : List.of(tiles, staged, rows, decode);
    }

    static String deviceClass(DeviceContext context) {
        return isCpuClass(context) ? "CPU-class" : "GPU-class";
    }

    private static boolean isCpuClass(DeviceContext context) {
        return context.device().type() == ClDevice.Type.CPU;
    }
}
