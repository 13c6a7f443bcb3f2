package dev.attention4j.opencl.probe;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.Capabilities;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * Launches {@code opencl/probe/device_probe.cl} to find a device's capabilities: drivers claim features they lack and omit
 * features they have.
 *
 * <p>Used under the engine's lock.
 */
public final class DeviceProbe {
    private static final int GROUP_ITEMS = 16;

    /** Sizes in KiB at which devices are known to stop. */
    private static final int[] LOCAL_KIB = {16, 32, 48, 64, 96, 128};

    private enum Feature {
        ARITHMETIC(0, null),
        HALF(1, "cl_khr_fp16"),
        DOUBLE(2, "cl_khr_fp64"),
        SUB_GROUPS(3, "cl_khr_subgroups"),
        LOCAL_MEMORY(4, null);

        /** The kernel file's PROBE. */
        private final int macro;

        /** Null for what every device has. */
        private final String extension;

        Feature(int macro, String extension) {
            this.macro = macro;
            this.extension = extension;
        }
    }

    private DeviceProbe() {}

    /**
     * Builds and runs a kernel and checks its result.
     *
     * @throws DeviceException if it does not build, does not run, or computes something else
     */
    public static void checkArithmetic(DeviceContext context) {
        run(context, Feature.ARITHMETIC, 1024);
    }

    /** Returns what the device can do; it is probed once for each open device. */
    public static Capabilities capabilities(DeviceContext context) {
        return context.capabilities(DeviceProbe::probe);
    }

    private static Capabilities probe(DeviceContext context) {
        int largest = 0;
        for (int kib : LOCAL_KIB) {
            if (!works(context, Feature.LOCAL_MEMORY, kib * 1024)) {
                break;
            }
            largest = kib;
        }
        return new Capabilities(
                works(context, Feature.ARITHMETIC, 1024),
                works(context, Feature.HALF, 1024),
                works(context, Feature.DOUBLE, 1024),
                works(context, Feature.SUB_GROUPS, 1024),
                largest);
    }

    private static boolean works(DeviceContext context, Feature feature, int localBytes) {
        if (feature.extension != null
                && context.device().quirks().has(Quirk.ERRORS_ON_SCREEN)
                && !context.device().extensions().contains(feature.extension)) {
            return false;
        }
        try {
            run(context, feature, localBytes);
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }

    private static void run(DeviceContext context, Feature feature, int localBytes) {
        ClKernel kernel = context.kernel(
                "probe/device_probe.cl",
                "device_probe",
                Map.of("PROBE", feature.macro, "GROUP_ITEMS", GROUP_ITEMS, "LOCAL_BYTES", localBytes));
        ByteBuffer result = ByteBuffer.allocateDirect(4 * GROUP_ITEMS).order(ByteOrder.nativeOrder());
        ClBuffer out = context.pool().acquire(4 * GROUP_ITEMS);
        try {
            context.queue().poison(out);
            kernel.arguments().buffer(out);
            context.queue().launch(kernel, new long[] {GROUP_ITEMS}, new long[] {GROUP_ITEMS});
            context.queue().read(out, result);
            context.queue().finish();
        } finally {
            context.pool().release(out);
        }
        for (int item = 0; item < GROUP_ITEMS; item++) {
            if (result.getFloat(4 * item) != 2 * item + 1) {
                throw new DeviceException("a kernel computed " + result.getFloat(4 * item) + ", must be "
                        + (2 * item + 1) + ", on " + context.device());
            }
        }
    }
}
