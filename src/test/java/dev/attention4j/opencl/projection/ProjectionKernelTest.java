package dev.attention4j.opencl.projection;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Both kernels, the one for CPUs and the one for GPUs, on every OpenCL device, against plain loops. */
class ProjectionKernelTest {
    @TempDir
    static Path programs;

    private final List<ClBuffer> buffers = new ArrayList<>();

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    /** One projection: heads and width of its results. */
    private record Columns(int heads, int width, boolean bias) {}

    @ParameterizedTest
    @MethodSource("devices")
    void rows(ClDevice device) {
        check(device, ProjectRows::new);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tiles(ClDevice device) {
        check(device, ProjectTiles::new);
    }

    private void check(ClDevice device, Function<DeviceContext, ProjectionKernel> kernels) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            ProjectionKernel kernel = kernels.apply(context);
            for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                Columns one = new Columns(1, 1, true);
                check(context, kernel, dtype, new int[] {1, 1, 1, 1}, false, one);
                // Columns beyond a panel, heads that end within a vector, rows beyond a tile.
                check(context, kernel, dtype, new int[] {2, 1, 7, 19}, false, new Columns(3, 5, true));
                Columns narrow = new Columns(1, 9, false);
                Columns wide = new Columns(5, 16, true);
                check(context, kernel, dtype, new int[] {1, 1, 53, 33}, false, wide, narrow, new Columns(2, 33, true));
                check(context, kernel, dtype, new int[] {3, 4, 6, 5}, true, new Columns(1, 41, true));
            }
            // More projections than one launch does, and inputs that come in several slices, within a head and across.
            Columns[] many = {
                new Columns(1, 3, true),
                new Columns(2, 3, false),
                new Columns(1, 70, true),
                new Columns(2, 4, true),
                new Columns(7, 8, true)
            };
            check(context, kernel, DType.FLOAT32, new int[] {1, 1, 50, 8}, false, many);
            check(context, kernel, DType.FLOAT32, new int[] {1, 1, 9, 1100}, false, new Columns(2, 20, true));
            check(context, kernel, DType.FLOAT32, new int[] {2, 7, 5, 151}, true, new Columns(1, 37, false));
        }
    }

    private void check(
            DeviceContext context,
            ProjectionKernel kernel,
            DType dtype,
            int[] shape,
            boolean gated,
            Columns... projections) {
        // Inputs begin behind something else.
        Tensor input = Tensor.random(1, shape[0], shape[1], shape[2], shape[3]).to(dtype);
        Tensor gate = gated ? scaled(Tensor.random(2, input.shape()), 4).to(dtype) : null;
        List<ProjectionCall.Target> targets = new ArrayList<>();
        List<PlainProjection> plain = new ArrayList<>();
        List<Tensor> results = new ArrayList<>();
        for (Columns one : projections) {
            Tensor weights = Tensor.random(3 + targets.size(), (long) shape[1] * shape[3], one.heads, one.width);
            Tensor bias = one.bias ? Tensor.random(99, one.heads, one.width) : null;
            plain.add(new PlainProjection(input, gate, weights, bias));
            Tensor result = Tensor.zeros(dtype, shape[0], one.heads, shape[2], one.width);
            results.add(result);
            ClBuffer output = acquire(context, result.byteSize());
            ClBuffer packed = written(context, PackedWeights.pack(weights, bias, kernel.panel()), 0);
            targets.add(new ProjectionCall.Target(packed, output, one.heads, one.width));
        }
        kernel.enqueue(new ProjectionCall(
                dtype,
                new Operand(written(context, input, 3), 3, new long[4]),
                gated ? new Operand(written(context, gate, 5), 5, new long[4]) : null,
                shape[0],
                shape[1],
                shape[2],
                shape[3],
                targets));
        for (int n = 0; n < results.size(); n++) {
            context.queue().read(targets.get(n).output(), results.get(n).bytes());
        }
        context.queue().finish();
        for (int n = 0; n < results.size(); n++) {
            String where =
                    context.device() + " " + kernel.getClass().getSimpleName() + " " + input + " to " + projections[n];
            plain.get(n).check(where, results.get(n));
        }
        buffers.forEach(context.pool()::release);
        buffers.clear();
    }

    /** A tensor on the device, behind elements of poison. */
    private ClBuffer written(DeviceContext context, Tensor tensor, int offset) {
        int skipped = offset * tensor.dtype().bytes();
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(skipped + tensor.byteSize()));
        for (int n = 0; n < skipped; n++) {
            bytes.put(n, (byte) 0x7F);
        }
        bytes.put(skipped, tensor.bytes(), 0, Math.toIntExact(tensor.byteSize()));
        ClBuffer buffer = acquire(context, bytes.capacity());
        context.queue().write(buffer, bytes);
        context.queue().finish();
        return buffer;
    }

    private ClBuffer acquire(DeviceContext context, long byteSize) {
        ClBuffer buffer = context.pool().acquire(byteSize);
        context.queue().poison(buffer);
        buffers.add(buffer);
        return buffer;
    }

    private static Tensor scaled(Tensor tensor, float factor) {
        for (int n = 0; n < tensor.floats().capacity(); n++) {
            tensor.floats().put(n, factor * tensor.floats().get(n));
        }
        return tensor;
    }
}
