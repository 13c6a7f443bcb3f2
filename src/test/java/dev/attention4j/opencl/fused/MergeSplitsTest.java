package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Parts of rows are merged as if they had never been split, on every OpenCL device. */
class MergeSplitsTest {
    private static final float NONE = Float.NEGATIVE_INFINITY;

    @TempDir
    Path temporary;

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void sharesAreThoseOfTheSums(ClDevice device) {
        int[] widths = {1, 3, 4, 16, 33, 80};
        try (DeviceContext context = open(device)) {
            for (int n = 0; n < 2 * widths.length; n++) {
                int valueDim = widths[n % widths.length];
                int splits = 1 + n;
                int rows = 11;
                Random random = new Random(n);
                float[] partial = new float[splits * rows * valueDim];
                float[] sums = new float[2 * splits * rows];
                for (int at = 0; at < splits * rows; at++) {
                    boolean empty = random.nextInt(3) == 0 || at % rows == 5;
                    sums[2 * at] = empty ? NONE : (float) (100 + 5 * random.nextGaussian());
                    sums[2 * at + 1] = empty ? 0 : 1 + 50 * random.nextFloat();
                    for (int dim = 0; dim < valueDim; dim++) {
                        partial[at * valueDim + dim] = empty ? Float.NaN : (float) random.nextGaussian();
                    }
                }
                Merged merged = merge(context, DType.FLOAT32, partial, sums, splits, rows, valueDim);
                for (int row = 0; row < rows; row++) {
                    check(merged, partial, sums, splits, rows, valueDim, row);
                }
            }
        }
    }

    private static void check(
            Merged merged, float[] partial, float[] sums, int splits, int rows, int valueDim, int row) {
        double total = 0;
        for (int split = 0; split < splits; split++) {
            int at = split * rows + row;
            total += sums[2 * at + 1] * Math.exp(sums[2 * at]);
        }
        if (total == 0) {
            assertThat(merged.logSumExp[row]).isEqualTo(NONE);
            assertThat(Arrays.copyOfRange(merged.output, row * valueDim, (row + 1) * valueDim))
                    .containsOnly(0);
            return;
        }
        assertThat((double) merged.logSumExp[row]).isEqualTo(Math.log(total), within(2e-5));
        for (int dim = 0; dim < valueDim; dim++) {
            double mean = 0;
            for (int split = 0; split < splits; split++) {
                int at = split * rows + row;
                mean += sums[2 * at + 1] == 0
                        ? 0
                        : sums[2 * at + 1] * Math.exp(sums[2 * at]) / total * partial[at * valueDim + dim];
            }
            // Although the maxima are around 100: their differences are exact.
            assertThat((double) merged.output[row * valueDim + dim]).isEqualTo(mean, within(1e-6));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aSumThatIsNotANumberShows(ClDevice device) {
        float[] partial = {1, 1, 2, 2, 3, 3, 4, 4};
        float[] sums = {3, Float.NaN, NONE, 0, 3, 1, 0, 2};
        try (DeviceContext context = open(device)) {
            Merged merged = merge(context, DType.FLOAT32, partial, sums, 2, 2, 2);
            assertThat(merged.output[0]).isNaN();
            assertThat(merged.logSumExp[0]).isNaN();
            assertThat(merged.output[2]).isEqualTo(4);
            assertThat(merged.output[3]).isEqualTo(4);
            assertThat((double) merged.logSumExp[1]).isEqualTo(Math.log(2), within(1e-6));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void theOutputIsStoredAtSixteenBits(ClDevice device) {
        float[] partial = {0.3f, -1000.1f, 7, 0.3f, -1000.1f, 7};
        try (DeviceContext context = open(device)) {
            for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16)) {
                Merged merged = merge(context, dtype, partial, new float[] {2, 1, 2, 1}, 2, 1, 3);
                float[] expected =
                        Tensor.of(Arrays.copyOf(partial, 3), 3).to(dtype).toFloatArray();
                assertThat(merged.output).containsExactly(expected);
                assertThat((double) merged.logSumExp[0]).isEqualTo(2 + Math.log(2), within(1e-6));
            }
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // Only ever taken apart.
    private record Merged(float[] output, float[] logSumExp) {}

    private DeviceContext open(ClDevice device) {
        return DeviceContext.open(device, temporary.resolve("programs"));
    }

    private static Merged merge(
            DeviceContext context, DType dtype, float[] partial, float[] sums, int splits, int rows, int valueDim) {
        Tensor output = Tensor.zeros(dtype, rows, valueDim);
        ClBuffer outputThere = context.pool().acquire(output.byteSize());
        ClBuffer logSumExpThere = context.pool().acquire(4L * rows);
        context.queue().poison(outputThere);
        context.queue().poison(logSumExpThere);
        MergeSplits.Partial there =
                new MergeSplits.Partial(upload(context, partial), upload(context, sums), splits, rows, valueDim);
        new MergeSplits(context).enqueue(there, false, dtype, outputThere, logSumExpThere);
        ByteBuffer logSumExpHere = ByteBuffer.allocateDirect(4 * rows).order(ByteOrder.nativeOrder());
        context.queue().read(outputThere, output.bytes());
        context.queue().read(logSumExpThere, logSumExpHere);
        context.queue().finish();
        float[] merged = new float[rows];
        logSumExpHere.asFloatBuffer().get(merged);
        List.of(outputThere, logSumExpThere, there.output(), there.sums()).forEach(context.pool()::release);
        return new Merged(output.toFloatArray(), merged);
    }

    private static ClBuffer upload(DeviceContext context, float... numbers) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * numbers.length).order(ByteOrder.nativeOrder());
        bytes.asFloatBuffer().put(numbers);
        ClBuffer buffer = context.pool().acquire(4L * numbers.length);
        try {
            context.queue().write(buffer, bytes);
            context.queue().finish();
        } finally {
            Reference.reachabilityFence(bytes);
        }
        return buffer;
    }
}
