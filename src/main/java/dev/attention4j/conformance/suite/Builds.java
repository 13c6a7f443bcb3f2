package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.fused.ForwardTiles;

/**
 * Which kernels a run may build. The plan tiles is meant for GPUs, whose compilers are quick; those for CPUs take seconds
 * for each storage and each width of values, rounded up to {@link #DIMS}. There a few builds must do.
 */
final class Builds {
    private static final int DIMS = 32;

    /** Widths above 32 and up to 64: the build that all storage types share. */
    private static final int COMMON = 1;

    /** The widest that a run that is not quick builds. */
    private static final int WIDEST = 3;

    private Builds() {}

    /** Whether a case needs a build that this engine's plan is not to be asked for. */
    static boolean isTooSlow(EngineInfo info, String plan, SuiteCase one, boolean quick) {
        boolean slow = info.kind() == EngineInfo.Kind.OPENCL_CPU || info.kind() == EngineInfo.Kind.EMULATOR;
        if (!slow || !plan.equals(ForwardTiles.NAME)) {
            return false;
        }
        int build = (one.valueDim() - 1) / DIMS;
        return build != COMMON && (quick || !one.float32() || build > WIDEST);
    }
}
