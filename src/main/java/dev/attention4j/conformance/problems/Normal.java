package dev.attention4j.conformance.problems;

import java.util.Random;

/**
 * Normally distributed numbers, drawn once and then copied: drawing them anew would take longer than attention does.
 */
final class Normal {
    /** A prime, so that it has no period in common with any width or length. */
    private static final int COUNT = 999_983;

    private static final float[] NUMBERS = new float[COUNT];

    static {
        Random random = new Random(20_260_101);
        for (int n = 0; n < COUNT; n++) {
            NUMBERS[n] = (float) random.nextGaussian();
        }
    }

    private Normal() {}

    /** Mean 0, variance 1, from a random place on. */
    static float[] numbers(Random random, int count) {
        float[] numbers = new float[count];
        int from = random.nextInt(COUNT);
        for (int done = 0; done < count; ) {
            int here = Math.min(count - done, COUNT - from);
            System.arraycopy(NUMBERS, from, numbers, done, here);
            done += here;
            from = 0;
        }
        return numbers;
    }
}
