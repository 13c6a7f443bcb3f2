package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectRows;
import dev.attention4j.opencl.projection.ProjectTiles;
import dev.attention4j.opencl.projection.ProjectionCall;
import dev.attention4j.opencl.projection.ProjectionPlan;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Runs projections on a device and holds them to plain loops. */
public final class ProjectionCheck {
    private static final List<DType> DTYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

    private final DeviceContext context;
    private final List<ClBuffer> buffers = new ArrayList<>();

    public ProjectionCheck(DeviceContext context) {
        this.context = context;
    }

    /** One projection: heads and width of its results. */
    public record Columns(int heads, int width, boolean bias) {}

    /**
     * Both kernels in each storage on shapes that are as small as reach all paths but those of long inputs.
     *
     * @param context open
     */
    public static void everyKernel(DeviceContext context) {
        ProjectionCheck check = new ProjectionCheck(context);
        check.storages(new ProjectRows(context));
        check.storages(new ProjectTiles(context));
    }

    /** The plan with the tunables that an engine takes. */
    public void storages(ProjectionPlan plan) {
        storages(plan, usual(plan));
    }

    /** The tunables that an engine takes. */
    public static Tunables usual(ProjectionPlan plan) {
        return plan.defaults(Problem.USUAL).stream()
                .filter(tunables -> plan.whyNot(Problem.USUAL, tunables).isEmpty()
                        && plan.loopExcess(Problem.USUAL, tunables).isEmpty())
                .findFirst()
                .orElseThrow();
    }

    private void storages(ProjectionPlan plan, Tunables tunables) {
        for (DType dtype : DTYPES) {
            check(plan, tunables, dtype, new int[] {1, 1, 1, 1}, false, new Columns(1, 1, true));
            // Columns beyond a panel, heads that end within a vector, rows beyond a tile.
            check(plan, tunables, dtype, new int[] {2, 1, 7, 19}, false, new Columns(3, 5, true));
            if (dtype == DType.FLOAT32 || !isSlow()) {
                Columns narrow = new Columns(1, 9, false);
                Columns wide = new Columns(5, 16, true);
                check(plan, tunables, dtype, new int[] {1, 1, 53, 33}, false, wide, narrow, new Columns(2, 33, true));
            }
            check(plan, tunables, dtype, new int[] {3, 4, 6, 5}, true, new Columns(1, 41, true));
            // Gated, with whole vectors in a row that begins anywhere.
            check(plan, tunables, dtype, new int[] {1, 2, 3, 19}, true, new Columns(1, 3, true));
        }
    }

    /**
     * Projects one random input, after other memory, and checks every result.
     *
     * @param plan of the context
     * @param dtype of input, gate and results
     * @param shape batch, input heads, length, width of an input head
     * @param gated whether there is a gate
     * @param projections of the input
     */
    public void check(
            ProjectionPlan plan, Tunables tunables, DType dtype, int[] shape, boolean gated, Columns... projections) {
        // Inputs do not begin at the start of their memory.
        Tensor input = Tensor.random(1, shape[0], shape[1], shape[2], shape[3]).to(dtype);
        Tensor gate = gated ? scaled(Tensor.random(2, input.shape()), 4).to(dtype) : null;
        List<ProjectionCall.Target> targets = new ArrayList<>();
        List<PlainProjection> expected = new ArrayList<>();
        List<Tensor> results = new ArrayList<>();
        for (Columns one : projections) {
            Tensor weights = Tensor.random(3 + targets.size(), (long) shape[1] * shape[3], one.heads, one.width);
            Tensor bias = one.bias ? Tensor.random(99, one.heads, one.width) : null;
            expected.add(new PlainProjection(input, gate, weights, bias));
            Tensor result = Tensor.zeros(dtype, shape[0], one.heads, shape[2], one.width);
            results.add(result);
            ClBuffer output = acquire(result.byteSize());
            ClBuffer packed = written(ProjectionPlan.pack(weights, bias, plan.panel(tunables)), 0);
            targets.add(new ProjectionCall.Target(packed, output, one.heads, one.width));
        }
        plan.enqueue(new ProjectionCall(
                dtype,
                new Operand(written(input, 3), 3, new long[4]),
                gated ? new Operand(written(gate, 5), 5, new long[4]) : null,
                shape[0],
                shape[1],
                shape[2],
                shape[3],
                targets,
                tunables));
        for (int n = 0; n < results.size(); n++) {
            context.queue().read(targets.get(n).output(), results.get(n).bytes());
        }
        context.queue().finish();
        for (int n = 0; n < results.size(); n++) {
            String where =
                    context.device() + " " + plan.name() + " " + tunables + " " + input + " to " + projections[n];
            expected.get(n).check(where, results.get(n));
        }
        release();
    }

    /** A simulator takes most of a check's time for its largest shape: only where elements are stored do types differ. */
    private boolean isSlow() {
        return context.device().quirks().has(Quirks.Quirk.EMULATOR);
    }

    /** The OpenCL devices but emulators, which build too slowly for many kernels. */
    public static List<ClDevice> quickDevices() {
        List<ClDevice> quick = Devices.find().devices().stream()
                .filter(device -> !device.quirks().has(Quirks.Quirk.EMULATOR))
                .toList();
        assertThat(quick).as("devices but emulators").isNotEmpty();
        return quick;
    }

    /** Each storage, more projections than one launch does, and inputs in several slices, within a head and across. */
    public void thorough(ProjectionPlan plan) {
        storages(plan);
        Tunables tunables = usual(plan);
        Columns[] many = {
            new Columns(1, 3, true),
            new Columns(2, 3, false),
            new Columns(1, 70, true),
            new Columns(2, 4, true),
            new Columns(7, 8, true)
        };
        check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 50, 8}, false, many);
        check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 9, 1100}, false, new Columns(2, 20, true));
        check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 25, 4096}, false, new Columns(1, 9, true));
        check(plan, tunables, DType.FLOAT32, new int[] {2, 7, 5, 151}, true, new Columns(1, 37, false));
    }

    /**
     * Checks each candidate on odd sizes, with more than one tile, panel and slice of inputs.
     *
     * @return how many fit the device
     */
    public int candidates(ProjectionPlan plan) {
        List<Tunables> fitting = plan.candidates(Problem.USUAL).stream()
                .filter(tunables -> plan.whyNot(Problem.USUAL, tunables).isEmpty())
                .toList();
        for (Tunables tunables : fitting) {
            Columns[] columns = {new Columns(3, 37, true), new Columns(1, 9, false)};
            check(plan, tunables, DType.FLOAT32, new int[] {3, 2, 41, 263}, true, columns);
        }
        return fitting.size();
    }

    /** NaN and infinity reach the results that they belong to, and no other. */
    public void notFinite(ProjectionPlan plan) {
        Tunables tunables = usual(plan);
        Tensor input = Tensor.random(1, 1, 1, 20, 19);
        input.floats().put(7 * 19 + 3, Float.NaN).put(13 * 19 + 18, Float.POSITIVE_INFINITY);
        Tensor weights = Tensor.random(2, 19, 3, 7);
        weights.floats().put(5 * 21 + 20, Float.NaN);
        ClBuffer output = acquire(4L * 20 * 21);
        plan.enqueue(new ProjectionCall(
                DType.FLOAT32,
                new Operand(written(input, 0), 0, new long[4]),
                null,
                1,
                1,
                20,
                19,
                List.of(new ProjectionCall.Target(
                        written(ProjectionPlan.pack(weights, null, plan.panel(tunables)), 0), output, 3, 7)),
                tunables));
        Tensor result = Tensor.zeros(DType.FLOAT32, 1, 3, 20, 7);
        context.queue().read(output, result.bytes());
        context.queue().finish();
        for (int head = 0; head < 3; head++) {
            for (int row = 0; row < 20; row++) {
                for (int w = 0; w < 7; w++) {
                    float got = (float) result.get(0, head, row, w);
                    boolean nan = row == 7 || (head == 2 && w == 6);
                    assertThat(Float.isNaN(got))
                            .as("%s %d %d %d", context.device(), head, row, w)
                            .isEqualTo(nan);
                    assertThat(Float.isInfinite(got)).isEqualTo(!nan && row == 13);
                }
            }
        }
        release();
    }

    /** Releases the memory that was acquired. */
    public void release() {
        buffers.forEach(context.pool()::release);
        buffers.clear();
    }

    /** Returns a tensor on the device, after elements of poison. */
    public ClBuffer written(Tensor tensor, int offset) {
        int skipped = offset * tensor.dtype().bytes();
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(skipped + tensor.byteSize()));
        for (int n = 0; n < skipped; n++) {
            bytes.put(n, (byte) 0x7F);
        }
        bytes.put(skipped, tensor.bytes(), 0, Math.toIntExact(tensor.byteSize()));
        ClBuffer buffer = acquire(bytes.capacity());
        try {
            context.queue().write(buffer, bytes);
            context.queue().finish();
        } finally {
            Reference.reachabilityFence(bytes);
        }
        return buffer;
    }

    /** Returns memory full of NaN. */
    public ClBuffer acquire(long byteSize) {
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
