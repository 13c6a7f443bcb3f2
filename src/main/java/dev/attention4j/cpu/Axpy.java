package dev.attention4j.cpu;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

/**
 * The inner loops: rows of sums += factors · rows. Each sum row and each source row is an array of its own, and no loop
 * has more than four sum rows and two source rows: HotSpot's vectoriser gives up on offsets into one array and on larger
 * bodies. Those were measured at a fifth of the speed.
 */
final class Axpy {
    /** Sum rows are done this many at a time. */
    static final int SUMS = 4;

    /** Source rows are done this many at a time. */
    static final int SOURCES = 2;

    private static final boolean FUSED = isFusedFast();

    private Axpy() {}

    /**
     * a · b + c, rounded once where the processor has an instruction for it. Elsewhere {@code Math.fma} goes through
     * BigDecimal, a thousand times slower, so product and sum are rounded one after the other.
     */
    static float fma(float a, float b, float c) {
        return FUSED ? Math.fma(a, b, c) : a * b + c;
    }

    /** Returns whether the JVM compiles {@code Math.fma} to an instruction; a JVM that does not say so does not. */
    private static boolean isFusedFast() {
        try {
            HotSpotDiagnosticMXBean machine = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
            return machine != null
                    && Boolean.parseBoolean(machine.getVMOption("UseFMA").getValue());
        } catch (RuntimeException | LinkageError e) {
            // JVMs other than HotSpot have neither the bean nor the option.
            return false;
        }
    }

    /** The least multiple of {@link #SUMS} or {@link #SOURCES} that is not below a count. */
    static int padded(int count, int multiple) {
        return (count + multiple - 1) / multiple * multiple;
    }

    /** s0 += a0·x + b0·y, and so for s1, s2 and s3, from {@code from} to {@code to} − 1. */
    static void fourByTwo(
            float[] s0,
            float[] s1,
            float[] s2,
            float[] s3,
            float[] x,
            float[] y,
            int from,
            int to,
            float a0,
            float b0,
            float a1,
            float b1,
            float a2,
            float b2,
            float a3,
            float b3) {
        for (int r = from; r < to; r++) {
            float xr = x[r];
            float yr = y[r];
            s0[r] = fma(b0, yr, fma(a0, xr, s0[r]));
            s1[r] = fma(b1, yr, fma(a1, xr, s1[r]));
            s2[r] = fma(b2, yr, fma(a2, xr, s2[r]));
            s3[r] = fma(b3, yr, fma(a3, xr, s3[r]));
        }
    }

    /** s += a·w + b·x + c·y + d·z, over all of s. */
    static void oneByFour(float[] s, float[] w, float[] x, float[] y, float[] z, float a, float b, float c, float d) {
        for (int n = 0; n < s.length; n++) {
            s[n] = fma(d, z[n], fma(c, y[n], fma(b, x[n], fma(a, w[n], s[n]))));
        }
    }

    /** s = s · factor + added, element by element. */
    static void multiplyAdd(float[] s, float[] factor, float[] added, int count) {
        for (int r = 0; r < count; r++) {
            s[r] = fma(s[r], factor[r], added[r]);
        }
    }

    /** s = s · factor + added. */
    static void multiplyAdd(float[] s, float factor, float[] added, int count) {
        for (int r = 0; r < count; r++) {
            s[r] = fma(s[r], factor, added[r]);
        }
    }

    /** max = the greater of max and each of four rows; NaN wins. */
    static void maxOfFour(float[] max, float[] s0, float[] s1, float[] s2, float[] s3, int from, int to) {
        for (int r = from; r < to; r++) {
            max[r] = Math.max(max[r], Math.max(Math.max(s0[r], s1[r]), Math.max(s2[r], s3[r])));
        }
    }

    /** sum += four rows. */
    static void addFour(float[] sum, float[] s0, float[] s1, float[] s2, float[] s3, int from, int to) {
        for (int r = from; r < to; r++) {
            sum[r] += (s0[r] + s1[r]) + (s2[r] + s3[r]);
        }
    }

    /** s += x, and x = 0. */
    static void move(float[] x, float[] s, int from, int to) {
        for (int r = from; r < to; r++) {
            s[r] += x[r];
            x[r] = 0;
        }
    }

    /** s ·= factor. */
    static void scale(float[] s, float factor, int from, int to) {
        for (int r = from; r < to; r++) {
            s[r] *= factor;
        }
    }
}
