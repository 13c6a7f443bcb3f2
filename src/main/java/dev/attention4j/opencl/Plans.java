package dev.attention4j.opencl;

import dev.attention4j.EngineOptions;
import dev.attention4j.opencl.fused.ForwardDecode;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.staged.StagedPlan;
import java.util.ArrayList;
import java.util.List;

/** The plans that there are, in the order that suits a class of devices. */
final class Plans {
    private Plans() {}

    /** All plans of kernels, and behind them {@code host} where it may be taken. */
    static List<Plan> of(DeviceContext context, EngineOptions options) {
        List<Plan> plans = new ArrayList<>(ofKernels(context));
        if (isThisProcessor(context)) {
            plans.add(new HostPlan(options));
        }
        return plans;
    }

    private static List<Plan> ofKernels(DeviceContext context) {
        Plan staged = new StagedPlan(context);
        Plan rows = new ForwardRows(context);
        Plan decode = new ForwardDecode(context);
        Plan tiles = new ForwardTiles(context);
        // A work-group of one work-item suits a CPU's vector units and would leave a GPU idle; many work-items that
        // meet
        // at barriers suit a GPU, and a CPU only as a test.
        return context.device().isCpuClass()
                ? List.of(decode, rows, tiles, staged)
                : List.of(tiles, staged, rows, decode);
    }

    static String deviceClass(DeviceContext context) {
        return context.device().isCpuClass() ? "CPU-class" : "GPU-class";
    }

    /**
     * Whether a device is the processor that this program runs on, and works on its memory: not one that only emulates.
     */
    static boolean isThisProcessor(DeviceContext context) {
        return context.device().isCpuClass()
                && context.sharesHostMemory()
                && !context.device().isEmulator();
    }
}
