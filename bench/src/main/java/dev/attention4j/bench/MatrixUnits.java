package dev.attention4j.bench;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What of NVIDIA's matrix units and asynchronous copies can be reached from OpenCL C, by {@code
 * roofline/matrix_units.cl}: found by doing it, since OpenCL names none of it.
 */
final class MatrixUnits {
    private static final String FILE = "roofline/matrix_units.cl";
    private static final int RESULTS = 128;
    private static final int SUB_GROUP = 32;
    private static final int GROUP_ITEMS = 128;
    private static final int GROUPS_PER_UNIT = 8;
    private static final int CHAINS = 8;
    private static final int STEPS = 4000;
    private static final int RUNS = 5;

    private enum Instruction {
        MMA_FLOAT16(0, 16),
        MMA_BFLOAT16(1, 16),
        MMA_TF32(2, 8),
        LDMATRIX(3, 0),
        CP_ASYNC(4, 0);

        /** The kernel file's INSTRUCTION. */
        private final int macro;

        /** The kernel file's DEPTH of a matrix product; 0 for moves. */
        private final int depth;

        Instruction(int macro, int depth) {
            this.macro = macro;
            this.depth = depth;
        }

        private float expected(int n) {
            int row = n / 8 % Math.max(1, depth);
            return depth == 0 ? n + 1 : row * 8 + n % 8 + 1;
        }
    }

    private MatrixUnits() {}

    /** Returns whether the instructions are this device's at all. */
    static boolean concern(ClDevice device) {
        return device.vendor().toLowerCase(Locale.ROOT).contains("nvidia");
    }

    /**
     * Tries each instruction.
     *
     * @return name → {@code right}, for a matrix product with its GFLOP/s, or the reason why not
     */
    static Map<String, Object> measure(ClDevice device) {
        Map<String, Object> found = new LinkedHashMap<>();
        for (Instruction instruction : Instruction.values()) {
            found.put(instruction.name().toLowerCase(Locale.ROOT), measure(device, instruction));
        }
        return found;
    }

    /** In a context of its own: a kernel that the device stops spoils all that is in its context. */
    private static Map<String, Object> measure(ClDevice device, Instruction instruction) {
        Map<String, Object> entry = new LinkedHashMap<>();
        try (DeviceContext context = DeviceContext.open(device, null)) {
            probe(context, instruction);
            entry.put("right", true);
            if (instruction.depth > 0) {
                entry.put("gflops", Figures.rounded(gflops(context, instruction)));
            }
        } catch (DeviceException e) {
            entry.put("right", false);
            entry.put("reason", e.getMessage());
        }
        return entry;
    }

    private static void probe(DeviceContext context, Instruction instruction) {
        ByteBuffer results = ByteBuffer.allocateDirect(Float.BYTES * RESULTS).order(ByteOrder.nativeOrder());
        ClBuffer out = context.pool().acquire(Float.BYTES * RESULTS);
        try {
            context.queue().poison(out);
            ClKernel kernel = kernel(context, "probe", instruction);
            kernel.arguments().buffer(out);
            context.queue().launch(kernel, new long[] {SUB_GROUP}, new long[] {SUB_GROUP});
            context.queue().read(out, results);
            context.queue().finish();
        } finally {
            context.pool().release(out);
        }
        for (int n = 0; n < RESULTS; n++) {
            float got = results.getFloat(Float.BYTES * n);
            if (got != instruction.expected(n)) {
                throw new DeviceException("result " + n + " is " + got + ", must be " + instruction.expected(n)
                        + ", on " + context.device());
            }
        }
    }

    private static double gflops(DeviceContext context, Instruction instruction) {
        ClKernel kernel = kernel(context, "rate", instruction);
        long items = (long) context.device().computeUnits() * GROUPS_PER_UNIT * GROUP_ITEMS;
        ClBuffer out = context.pool().acquire(Float.BYTES * items);
        try {
            double ms = Double.MAX_VALUE;
            for (int run = 0; run < RUNS; run++) {
                kernel.arguments().buffer(out).integer(STEPS);
                context.queue().finish();
                long start = System.nanoTime();
                context.queue().launch(kernel, new long[] {items}, new long[] {GROUP_ITEMS});
                context.queue().finish();
                ms = Math.min(ms, (System.nanoTime() - start) / 1e6);
            }
            long subGroups = items / SUB_GROUP;
            return 2.0 * 16 * 8 * instruction.depth * CHAINS * STEPS * subGroups / ms / 1e6;
        } finally {
            context.pool().release(out);
        }
    }

    private static ClKernel kernel(DeviceContext context, String name, Instruction instruction) {
        return context.kernel(FILE, name, Map.of("INSTRUCTION", instruction.macro));
    }
}
