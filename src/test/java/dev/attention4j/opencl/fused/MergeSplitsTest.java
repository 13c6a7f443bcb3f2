package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
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
    void sharesAreThoseOfTheLogSumExps(ClDevice device) {
        int[] widths = {1, 3, 4, 16, 33, 80};
        for (int n = 0; n < 2 * widths.length; n++) {
            int valueDim = widths[n % widths.length];
            int splits = 1 + n;
            int rows = 11;
            Random random = new Random(n);
            float[] partial = new float[splits * rows * valueDim];
            float[] logSumExp = new float[splits * rows];
            for (int at = 0; at < logSumExp.length; at++) {
                boolean empty = random.nextInt(3) == 0 || at % rows == 5;
                logSumExp[at] = empty ? NONE : (float) (60 * random.nextGaussian());
                for (int dim = 0; dim < valueDim; dim++) {
                    partial[at * valueDim + dim] = empty ? Float.NaN : (float) random.nextGaussian();
                }
            }
            Merged merged = merge(device, DType.FLOAT32, partial, logSumExp, splits, rows, valueDim);
            for (int row = 0; row < rows; row++) {
                check(merged, partial, logSumExp, splits, rows, valueDim, row);
            }
        }
    }

    private static void check(
            Merged merged, float[] partial, float[] logSumExp, int splits, int rows, int valueDim, int row) {
        double largest = NONE;
        for (int split = 0; split < splits; split++) {
            largest = Math.max(largest, logSumExp[split * rows + row]);
        }
        if (largest == NONE) {
            assertThat(merged.logSumExp[row]).isEqualTo(NONE);
            assertThat(Arrays.copyOfRange(merged.output, row * valueDim, (row + 1) * valueDim))
                    .containsOnly(0);
            return;
        }
        double total = 0;
        for (int split = 0; split < splits; split++) {
            total += Math.exp(logSumExp[split * rows + row] - largest);
        }
        assertThat((double) merged.logSumExp[row])
                .isEqualTo(largest + Math.log(total), within(1e-5 * Math.abs(largest) + 1e-6));
        for (int dim = 0; dim < valueDim; dim++) {
            double sum = 0;
            for (int split = 0; split < splits; split++) {
                int at = split * rows + row;
                sum += logSumExp[at] == NONE
                        ? 0
                        : Math.exp(logSumExp[at] - largest) / total * partial[at * valueDim + dim];
            }
            assertThat((double) merged.output[row * valueDim + dim]).isEqualTo(sum, within(2e-6));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aLogSumExpThatIsNotANumberShows(ClDevice device) {
        float[] partial = {1, 1, 2, 2, 3, 3, 4, 4};
        Merged merged = merge(device, DType.FLOAT32, partial, new float[] {Float.NaN, 0, NONE, 0}, 2, 2, 2);
        assertThat(merged.output[0]).isNaN();
        assertThat(merged.logSumExp[0]).isNaN();
        assertThat(merged.output[2]).isEqualTo(3);
        assertThat(merged.output[3]).isEqualTo(3);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void theOutputIsStoredAtSixteenBits(ClDevice device) {
        float[] partial = {0.3f, -1000.1f, 7, 0.3f, -1000.1f, 7};
        for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16)) {
            Merged merged = merge(device, dtype, partial, new float[] {2, 2}, 2, 1, 3);
            float[] expected = Tensor.of(Arrays.copyOf(partial, 3), 3).to(dtype).toFloatArray();
            assertThat(merged.output).containsExactly(expected);
            assertThat((double) merged.logSumExp[0]).isEqualTo(2 + Math.log(2), within(1e-6));
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // Only ever taken apart.
    private record Merged(float[] output, float[] logSumExp) {}

    private Merged merge(
            ClDevice device, DType dtype, float[] partial, float[] logSumExp, int splits, int rows, int valueDim) {
        try (DeviceContext context = DeviceContext.open(device, temporary.resolve("programs"))) {
            Tensor output = Tensor.zeros(dtype, rows, valueDim);
            ClBuffer outputThere = context.pool().acquire(output.byteSize());
            ClBuffer logSumExpThere = context.pool().acquire(4L * rows);
            context.queue().poison(outputThere);
            context.queue().poison(logSumExpThere);
            MergeSplits.Partial there = new MergeSplits.Partial(
                    upload(context, partial), upload(context, logSumExp), splits, rows, valueDim);
            new MergeSplits(context).enqueue(there, dtype, outputThere, logSumExpThere);
            ByteBuffer logSumExpHere = ByteBuffer.allocateDirect(4 * rows).order(ByteOrder.nativeOrder());
            context.queue().read(outputThere, output.bytes());
            context.queue().read(logSumExpThere, logSumExpHere);
            context.queue().finish();
            float[] merged = new float[rows];
            logSumExpHere.asFloatBuffer().get(merged);
            List.of(outputThere, logSumExpThere, there.output(), there.logSumExp())
                    .forEach(context.pool()::release);
            return new Merged(output.toFloatArray(), merged);
        }
    }

    private static ClBuffer upload(DeviceContext context, float... numbers) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * numbers.length).order(ByteOrder.nativeOrder());
        bytes.asFloatBuffer().put(numbers);
        ClBuffer buffer = context.pool().acquire(4L * numbers.length);
        context.queue().write(buffer, bytes);
        context.queue().finish();
        return buffer;
    }
}
