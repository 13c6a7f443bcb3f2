package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code common/exp.clh} on every OpenCL device; vectors of 16 have instructions of their own where there is AVX-512. */
class ExpKernelTest {
    private static final int[] WIDTHS = {4, 8, 16};

    @TempDir
    Path temporary;

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void isAsExactAsItSays(ClDevice device) {
        float[] x = new float[1 << 18];
        for (int n = 0; n < x.length; n++) {
            // Close together near 0, where the weights are that count.
            float part = (float) n / x.length;
            x[n] = -86.9f * part * part * part;
        }
        for (int width : WIDTHS) {
            check(x, width, 0, exp(device, width, 0, x));
        }
        // As many as a million keys take; less is left of the exponent.
        for (int n = 0; n < x.length; n++) {
            x[n] *= 0.83f;
        }
        for (int width : WIDTHS) {
            check(x, width, 20, exp(device, width, 20, x));
        }
    }

    private static void check(float[] x, int width, int halvings, float... results) {
        for (int n = 0; n < x.length; n++) {
            double exact = Math.scalb(Math.exp(x[n]), -halvings);
            double units = Math.abs(results[n] - exact) / Math.ulp((float) exact);
            if (!(units <= 1.5 - x[n] * (width == 16 ? 1.5 : 0.25))) {
                throw new AssertionError("2^-" + halvings + " e^" + x[n] + " in vectors of " + width + " is off by "
                        + units + " units in the last place: " + results[n]);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void edges(ClDevice device) {
        float[] x = new float[16];
        x[1] = -0.0f;
        x[2] = Float.NEGATIVE_INFINITY;
        x[3] = -Float.MAX_VALUE;
        x[4] = -1000;
        x[5] = Float.NaN;
        x[6] = -Float.MIN_VALUE;
        for (int width : WIDTHS) {
            assertThat(exp(device, width, 7, x))
                    .as("vectors of %d", width)
                    .startsWith(0x1p-7f, 0x1p-7f, 0, 0, 0, Float.NaN);
            float[] results = exp(device, width, 0, x);
            assertThat(results).as("vectors of %d", width).startsWith(1, 1, 0, 0, 0, Float.NaN);
            assertThat(results[6]).isBetween(1 - Math.ulp(1f), 1f);
        }
    }

    /** A CPU takes many times as long to multiply subnormal numbers. */
    @ParameterizedTest
    @MethodSource("devices")
    void noWeightIsSubnormal(ClDevice device) {
        float[] x = new float[1 << 16];
        for (int n = 0; n < x.length; n++) {
            x[n] = -60 - 50f * n / x.length;
        }
        for (int halvings : new int[] {0, 20}) {
            for (int width : WIDTHS) {
                for (float result : exp(device, width, halvings, x)) {
                    assertThat(result == 0 || result >= Float.MIN_NORMAL)
                            .as("%s in vectors of %d", result, width)
                            .isTrue();
                }
            }
        }
    }

    private float[] exp(ClDevice device, int width, int halvings, float... x) {
        ByteBuffer memory = ByteBuffer.allocateDirect(4 * x.length).order(ByteOrder.nativeOrder());
        memory.asFloatBuffer().put(x);
        try (DeviceContext context = DeviceContext.open(device, temporary.resolve("programs"))) {
            ClKernel kernel = context.kernel("exp/exp_of_each.cl", "exp_of_each", Map.of("VECTOR_WIDTH", width));
            ClBuffer in = context.pool().acquire(4L * x.length);
            ClBuffer out = context.pool().acquire(4L * x.length);
            context.queue().poison(out);
            context.queue().write(in, memory);
            kernel.arguments().buffer(in).buffer(out).integer(halvings);
            context.queue().launch(kernel, new long[] {x.length / width}, new long[] {1});
            context.queue().read(out, memory);
            context.queue().finish();
            context.pool().release(in);
            context.pool().release(out);
        } finally {
            Reference.reachabilityFence(memory);
        }
        float[] results = new float[x.length];
        memory.asFloatBuffer().get(results);
        return results;
    }
}
