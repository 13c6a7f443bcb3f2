package dev.attention4j.bench;

import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClException;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a device can do at most, by {@code roofline/roofline.cl}: each figure is the best of several runs.
 *
 * @param multiplyAddGflops float32 multiply-adds in registers, GFLOP/s, a multiply-add being two
 * @param copyGbPerS bytes read and bytes written by a copy of large buffers, 10⁹ a second
 * @param readGbPerS bytes read of a large buffer, 10⁹ a second
 */
public record Roofline(double multiplyAddGflops, double copyGbPerS, double readGbPerS) {
    private static final String FILE = "roofline/roofline.cl";
    private static final int RUNS = 5;
    private static final double LEAST_MS = 20;
    private static final int MOST_STEPS = 1 << 24;
    private static final long LARGE_BYTES = 256L << 20;

    /** Width, chains: what runs best differs with registers and instructions. */
    private static final int[][] CPU_CANDIDATES = {{16, 12}, {16, 8}, {8, 12}};

    private static final int[][] GPU_CANDIDATES = {{1, 8}, {1, 12}, {4, 4}};

    /**
     * The OpenCL device behind an engine.
     *
     * @param engine of {@link dev.attention4j.Engines#list()}
     * @return empty if the engine is none of OpenCL's
     */
    public static Optional<ClDevice> device(EngineInfo engine) {
        return Devices.find().devices().stream()
                .filter(device -> engine.id().equals("opencl:" + device.index()))
                .findFirst();
    }

    /**
     * Measures a device; takes about a second.
     *
     * @param device of {@link Devices#find()}
     * @return all figures above 0
     * @throws ClException if the kernels do not build or run
     */
    public static Roofline measure(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, null)) {
            return new Roofline(multiplyAdd(context), bandwidth(context, "copy"), bandwidth(context, "read"));
        }
    }

    /**
     * The most GFLOP/s that a problem can reach here: the multiply-add peak, or what the memory allows.
     *
     * @param problem knows its FLOPs and its least bytes
     * @return GFLOP/s
     */
    public double limitGflops(AttentionProblem problem) {
        return Math.min(multiplyAddGflops, problem.flops() / problem.bytes() * Math.max(copyGbPerS, readGbPerS));
    }

    private static boolean isCpu(DeviceContext context) {
        return context.device().type() == ClDevice.Type.CPU;
    }

    private static double multiplyAdd(DeviceContext context) {
        double best = 0;
        int items = isCpu(context) ? 1 : 256;
        long groups = context.device().computeUnits() * (isCpu(context) ? 8L : 16L);
        for (int[] candidate : isCpu(context) ? CPU_CANDIDATES : GPU_CANDIDATES) {
            int width = candidate[0];
            int chains = candidate[1];
            ClKernel kernel = kernel(context, "multiply_add", width, chains);
            int group = Math.min(items, kernel.largestGroup());
            long global = groups * group;
            ClBuffer out = context.pool().acquire(global * width * Float.BYTES);
            try {
                int steps = 1024;
                double ms = 0;
                while (ms < LEAST_MS && steps < MOST_STEPS) {
                    steps *= 2;
                    ms = multiplyAdd(context, kernel, out, steps, global, group);
                }
                for (int run = 0; run < RUNS; run++) {
                    ms = Math.min(ms, multiplyAdd(context, kernel, out, steps, global, group));
                }
                best = Math.max(best, 2.0 * width * chains * steps * global / ms / 1e6);
            } finally {
                context.pool().release(out);
            }
        }
        return best;
    }

    private static double multiplyAdd(
            DeviceContext context, ClKernel kernel, ClBuffer out, int steps, long global, int group) {
        // The chains stay near 2, whatever they start from: 0.5 x + 1.
        kernel.arguments().buffer(out).real(0.5f).real(1).integer(steps);
        return time(context, kernel, global, group);
    }

    private static double bandwidth(DeviceContext context, String name) {
        int width = isCpu(context) ? 16 : 4;
        int group = isCpu(context) ? 1 : 256;
        ClKernel kernel = kernel(context, name, width, 8);
        group = Math.min(group, kernel.largestGroup());
        long most = Math.min(
                context.device().largestAllocationBytes(), context.device().globalMemoryBytes() / 8);
        long vectors = Math.min(LARGE_BYTES, most) / ((long) width * Float.BYTES);
        int each = isCpu(context) ? 4096 : 16;
        long global = vectors / each / group * group;
        long bytes = global * each * width * Float.BYTES;
        ClBuffer in = context.pool().acquire(bytes);
        ClBuffer out = context.pool().acquire(bytes);
        try {
            // Memory that was never written may not be there yet.
            context.queue().poison(in);
            context.queue().poison(out);
            double ms = Double.MAX_VALUE;
            for (int run = 0; run <= RUNS; run++) {
                kernel.arguments().buffer(in).buffer(out).integer(each);
                double took = time(context, kernel, global, group);
                ms = run == 0 ? ms : Math.min(ms, took);
            }
            return (name.equals("copy") ? 2.0 : 1.0) * bytes / ms / 1e6;
        } finally {
            context.pool().release(in);
            context.pool().release(out);
        }
    }

    private static ClKernel kernel(DeviceContext context, String name, int width, int chains) {
        Map<String, Object> defines = new LinkedHashMap<>();
        defines.put("WIDTH", width);
        defines.put("CHAINS", chains);
        defines.put("CHUNKED", isCpu(context) ? 1 : 0);
        return context.kernel(FILE, name, defines);
    }

    /** By the host's clock: every run is long enough, and not every device's own clock can be trusted. */
    private static double time(DeviceContext context, ClKernel kernel, long global, int group) {
        context.queue().finish();
        long start = System.nanoTime();
        context.queue().launch(kernel, new long[] {global}, new long[] {group});
        context.queue().finish();
        return (System.nanoTime() - start) / 1e6;
    }
}
