package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.fused.ForwardTiles;

/**
 * Which kernels a run may build. The plan tiles is meant for GPUs, whose compilers are quick; those for CPUs take seconds
 * for each storage and for each width of values, rounded up to {@link #DIMS}, and minutes for the wide ones. There one width
 * must do; a case that is asked for by its name is run whatever it builds.
 */
final class Builds {
    private static final int DIMS = 32;

    /** Widths above 32 and up to 64, which most cases have. */
    private static final int COMMON = 1;

    private Builds() {}

    /** Whether a case needs a build that this engine's plan is not to be asked for. */
    static boolean isTooSlow(EngineInfo info, String plan, SuiteCase one) {
        boolean slow = info.kind() == EngineInfo.Kind.OPENCL_CPU || info.kind() == EngineInfo.Kind.EMULATOR;
        return slow && plan.equals(ForwardTiles.NAME) && (one.valueDim() - 1) / DIMS != COMMON;
    }
}
