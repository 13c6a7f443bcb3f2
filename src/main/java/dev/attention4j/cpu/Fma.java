package dev.attention4j.cpu;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

/**
 * a · b + c, rounded once where the processor has an instruction for it. Elsewhere {@code Math.fma} goes through
 * BigDecimal, a thousand times slower, so there product and sum are rounded each.
 */
final class Fma {
    private static final boolean FUSED = isFast();

    private Fma() {}

    static float of(float a, float b, float c) {
        return FUSED ? Math.fma(a, b, c) : a * b + c;
    }

    /** Whether the virtual machine compiles {@code Math.fma} to an instruction; one that does not say so does not. */
    private static boolean isFast() {
        try {
            HotSpotDiagnosticMXBean machine = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
            return machine != null
                    && Boolean.parseBoolean(machine.getVMOption("UseFMA").getValue());
        } catch (RuntimeException | LinkageError e) {
            // Another virtual machine than HotSpot has neither the bean nor the option.
            return false;
        }
    }
}
