package dev.attention4j.conformance.suite;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.fused.ForwardTiles;
import java.util.Optional;

/**
 * Which kernels a run may build. The plan tiles is meant for GPUs, whose compilers are quick; those for CPUs take seconds
 * for each storage and for each width of values, rounded up to {@link #DIMS}, and minutes for the wide ones. There two
 * widths must do, and one, in float32, where the run is to be quick; a case that is asked for by its name is run whatever it
 * builds.
 */
final class Builds {
    private static final int DIMS = 32;

    /** Widths up to 32, which most cases have, and up to 64, which most models have. */
    private static final int QUICK_WIDTHS = 1;

    private static final int WIDTHS = 2;

    private Builds() {}

    /** Why a case is not run because of a build that this engine's plan is not to be asked for; empty if it is run. */
    static Optional<String> tooSlow(EngineInfo info, String plan, SuiteCase one, boolean quick) {
        boolean slow = info.kind() == EngineInfo.Kind.OPENCL_CPU || info.kind() == EngineInfo.Kind.EMULATOR;
        if (!slow || !plan.equals(ForwardTiles.NAME)) {
            return Optional.empty();
        }
        if (one.valueDim() > DIMS * (quick ? QUICK_WIDTHS : WIDTHS)) {
            return Optional.of("no build for values of this width, which takes too long on a CPU");
        }
        return quick && one.dtype() != DType.FLOAT32
                ? Optional.of("no build but for float32 in a quick run, which takes too long on a CPU")
                : Optional.empty();
    }
}
