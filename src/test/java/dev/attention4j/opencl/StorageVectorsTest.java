package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.TestEngines;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Vectors of 16-bit elements are read and written at every address that an element may have, with every pattern of bits. */
class StorageVectorsTest {
    private static final int PATTERNS = 1 << 16;

    @TempDir
    private Path programs;

    static List<ClDevice> devices() {
        TestEngines.openCl();
        return Devices.find().devices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void everyPatternAtEveryAddress(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16)) {
                for (int width : new int[] {4, 8, 16}) {
                    ClKernel kernel = context.kernel(
                            "storage/stored_vectors.cl",
                            "stored_vectors",
                            Map.of("VECTOR_WIDTH", width, "STORAGE", CommonMacros.storage(dtype)));
                    for (int first = 0; first < 8; first++) {
                        check(context, kernel, dtype, width, first);
                    }
                }
            }
        }
    }

    private static void check(DeviceContext context, ClKernel kernel, DType dtype, int width, int first) {
        ByteBuffer stored = memory(2L * (PATTERNS + first));
        ByteBuffer widened = memory(4L * PATTERNS);
        for (int n = 0; n < PATTERNS; n++) {
            stored.putShort(2 * (first + n), (short) n);
        }
        ClBuffer from = context.pool().acquire(stored.capacity());
        ClBuffer floats = context.pool().acquire(widened.capacity());
        ClBuffer to = context.pool().acquire(stored.capacity());
        try {
            context.queue().poison(floats);
            context.queue().poison(to);
            context.queue().write(from, stored);
            kernel.arguments().buffer(from).buffer(floats).buffer(to).integer(first);
            context.queue().launch(kernel, new long[] {PATTERNS / width}, new long[] {1});
            context.queue().read(floats, widened);
            context.queue().read(to, stored);
            context.queue().finish();
        } finally {
            Reference.reachabilityFence(stored);
            Reference.reachabilityFence(widened);
            List.of(from, floats, to).forEach(context.pool()::release);
        }
        for (int n = 0; n < PATTERNS; n++) {
            float want = dtype == DType.FLOAT16 ? half(n) : Float.intBitsToFloat(n << 16);
            float got = widened.getFloat(4 * n);
            int back = stored.getShort(2 * (first + n)) & 0xFFFF;
            boolean right = Float.isNaN(want)
                    ? Float.isNaN(got) && (dtype == DType.FLOAT16 ? (back & 0x7FFF) > 0x7C00 : (back & 0x7FFF) > 0x7F80)
                    : Float.floatToRawIntBits(got) == Float.floatToRawIntBits(want) && back == n;
            if (!right) {
                assertThat(List.of(got, Integer.toHexString(back)))
                        .as("%s, pattern %x in vectors of %d from element %d on", dtype, n, width, first)
                        .isEqualTo(List.of(want, Integer.toHexString(n)));
            }
        }
    }

    /** IEEE 754's binary16, from its definition. */
    private static float half(int bits) {
        int exponent = bits >> 10 & 31;
        int fraction = bits & 1023;
        float magnitude = exponent == 31
                ? fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN
                : exponent == 0
                        ? Math.scalb((float) fraction, -24)
                        : Math.scalb((float) (1024 + fraction), exponent - 25);
        return bits >> 15 == 0 ? magnitude : -magnitude;
    }

    private static ByteBuffer memory(long bytes) {
        return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
    }
}
