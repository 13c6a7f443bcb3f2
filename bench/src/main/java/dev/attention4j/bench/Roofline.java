package dev.attention4j.bench;

import dev.attention4j.EngineInfo;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The most that a device can do, by {@code roofline/roofline.cl}: each figure is the best of several runs.
 *
 * @param multiplyAddGflops float32 multiply-adds in registers, GFLOP/s, a multiply-add being two
 * @param copyGbPerS bytes read and bytes written by a copy of large buffers, 10⁹ a second
 * @param readGbPerS bytes read of a large buffer, 10⁹ a second
 */
public record Roofline(double multiplyAddGflops, double copyGbPerS, double readGbPerS) {
    private static final String FILE = "roofline/roofline.cl";
    private static final int RUNS = 5;
    private static final double LEAST_MS = 20;
    private static final int FEWEST_STEPS = 1 << 11;
    private static final int MOST_STEPS = 1 << 24;
    private static final int WIDEST = 16;
    private static final long LARGE_BYTES = 256L << 20;

    /** Width, chains: what runs best differs with registers and instructions. */
    private static final int[][] CPU_CANDIDATES = {{16, 12}, {16, 8}, {8, 12}};

    private static final int[][] GPU_CANDIDATES = {{1, 8}, {1, 12}, {4, 4}};

    /** Returns the OpenCL device of an engine; empty for an engine without one. */
    public static Optional<ClDevice> device(EngineInfo engine) {
        return Devices.find().devices().stream()
                .filter(device -> engine.id().equals("opencl:" + device.index()))
                .findFirst();
    }

    /** Measures a device; takes about a second. */
    public static Roofline measure(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, null)) {
            return new Roofline(multiplyAdd(context), bandwidth(context, "copy"), bandwidth(context, "read"));
        }
    }

    /** The better of two measurements, figure by figure: what a machine was once seen to do is what it can. */
    Roofline or(Roofline other) {
        return new Roofline(
                Math.max(multiplyAddGflops, other.multiplyAddGflops),
                Math.max(copyGbPerS, other.copyGbPerS),
                Math.max(readGbPerS, other.readGbPerS));
    }

    /**
     * The most GFLOP/s that so many operations on so many bytes can reach: the multiply-add peak, or what the memory
     * allows.
     */
    double limitGflops(double flops, double bytes) {
        return Math.min(multiplyAddGflops, flops / bytes * Math.max(copyGbPerS, readGbPerS));
    }

    private static boolean isCpu(DeviceContext context) {
        return context.device().isCpuClass();
    }

    private static double multiplyAdd(DeviceContext context) {
        MultiplyAdds fastest = MultiplyAdds.prepare(context);
        try {
            return fastest.gflops();
        } finally {
            fastest.release();
        }
    }

    private static double bandwidth(DeviceContext context, String name) {
        long most = Math.min(
                context.device().largestAllocationBytes(), context.device().globalMemoryBytes() / 8);
        Read run = Read.prepare(context, name, Math.min(LARGE_BYTES, most));
        try {
            run.run(); // The first run may compile.
            double ms = Double.MAX_VALUE;
            for (int n = 0; n < RUNS; n++) {
                ms = Math.min(ms, run.run());
            }
            return (name.equals("copy") ? 2.0 : 1.0) * run.bytes / ms / 1e6;
        } finally {
            run.release();
        }
    }

    /** Something that a device is made to do at its best, again and again. */
    interface Load {
        /** Runs it once, and gives the milliseconds. */
        double run();

        /** Bytes or floating-point operations of a run. */
        double amount();

        /** Gives its buffers back to the context's pool. */
        void release();
    }

    /**
     * Multiply-adds in registers, ready to be run.
     *
     * @param kernel of {@code roofline/roofline.cl}
     * @param out given back to the context's pool by {@link #release}
     * @param steps of a work-item: as many as take {@link #LEAST_MS}
     * @param lanes sums of a work-item
     */
    record MultiplyAdds(
            DeviceContext context, ClKernel kernel, ClBuffer out, int steps, long global, int group, int lanes)
            implements Load {
        /** The fastest of the candidates. */
        static MultiplyAdds prepare(DeviceContext context) {
            int items = isCpu(context) ? 1 : 256;
            long groups = context.device().computeUnits() * (isCpu(context) ? 8L : 16L);
            ClBuffer out = context.pool().acquire(groups * items * WIDEST * Float.BYTES);
            MultiplyAdds fastest = null;
            double best = 0;
            for (int[] candidate : isCpu(context) ? CPU_CANDIDATES : GPU_CANDIDATES) {
                int lanes = candidate[0] * candidate[1];
                ClKernel kernel = Roofline.kernel(context, "multiply_add", candidate[0], candidate[1]);
                int group = Math.min(items, kernel.largestGroup());
                int steps = FEWEST_STEPS;
                MultiplyAdds adds = new MultiplyAdds(context, kernel, out, steps, groups * group, group, lanes);
                while (adds.run() < LEAST_MS && steps < MOST_STEPS) {
                    steps *= 2;
                    adds = new MultiplyAdds(context, kernel, out, steps, groups * group, group, lanes);
                }
                double gflops = adds.gflops();
                if (gflops > best) {
                    best = gflops;
                    fastest = adds;
                }
            }
            return fastest;
        }

        @Override
        public double run() {
            // The chains stay near 2, whatever they start from: 0.5 x + 1.
            kernel.arguments().buffer(out).real(0.5f).real(1).integer(steps);
            return time(context, kernel, global, group);
        }

        @Override
        public double amount() {
            return 2.0 * lanes * steps * global;
        }

        /** The best of several runs. */
        private double gflops() {
            double ms = Double.MAX_VALUE;
            for (int run = 0; run < RUNS; run++) {
                ms = Math.min(ms, run());
            }
            return amount() / ms / 1e6;
        }

        @Override
        public void release() {
            context.pool().release(out);
        }
    }

    /**
     * A read, or a copy, of a large buffer, ready to be run.
     *
     * @param kernel of {@code roofline/roofline.cl}
     * @param buffers from and to; given back to the context's pool by {@link #release}
     * @param each vectors of a work-item
     */
    record Read(
            DeviceContext context,
            ClKernel kernel,
            List<ClBuffer> buffers,
            long global,
            int group,
            int each,
            long bytes)
            implements Load {
        /** A read of about that many bytes. */
        static Read prepare(DeviceContext context, long bytes) {
            return prepare(context, "read", bytes);
        }

        private static Read prepare(DeviceContext context, String name, long wanted) {
            int width = isCpu(context) ? 16 : 4;
            ClKernel kernel = Roofline.kernel(context, name, width, 8);
            int group = Math.min(isCpu(context) ? 1 : 256, kernel.largestGroup());
            int each = isCpu(context) ? 4096 : 16;
            long vectors = wanted / ((long) width * Float.BYTES);
            long global = Math.max(1, vectors / each / group) * group;
            long bytes = global * each * width * Float.BYTES;
            ClBuffer in = context.pool().acquire(bytes);
            ClBuffer out = context.pool().acquire(name.equals("copy") ? bytes : global * width * Float.BYTES);
            // Memory that was never written may not be there yet.
            context.queue().poison(in);
            context.queue().poison(out);
            return new Read(context, kernel, List.of(in, out), global, group, each, bytes);
        }

        @Override
        public double run() {
            kernel.arguments().buffer(buffers.get(0)).buffer(buffers.get(1)).integer(each);
            return time(context, kernel, global, group);
        }

        @Override
        public double amount() {
            return bytes;
        }

        @Override
        public void release() {
            buffers.forEach(context.pool()::release);
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
