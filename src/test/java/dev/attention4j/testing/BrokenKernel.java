package dev.attention4j.testing;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.nio.file.Path;
import java.util.Map;

/** A program for a simulator: a kernel of {@code broken/}, by its name, to see that what it does wrong is reported. */
public final class BrokenKernel {
    private BrokenKernel() {}

    public static void main(String[] arguments) {
        try (DeviceContext context = DeviceContext.open(Devices.find().devices().get(0), Path.of(arguments[0]))) {
            ClBuffer out = context.pool().acquire(256);
            ClKernel kernel = context.kernel("broken/" + arguments[1] + ".cl", arguments[1], Map.of());
            kernel.arguments().buffer(out);
            context.queue().launch(kernel, new long[] {4}, new long[] {4});
            context.queue().finish();
            context.pool().release(out);
        }
    }
}
