package dev.attention4j;

/**
 * The ALiBi slopes of trained models, for {@link AttentionBuilder#alibiSlopes} (Press et al., "Train
 * Short, Test Long: Attention with Linear Biases", 2022, section 3).
 */
public final class AlibiSlopes {
    private AlibiSlopes() {}

    /**
     * The paper's geometric sequence: for n heads, n a power of two, 2^(−8/n), 2^(−16/n) … 2^(−8). For another n, as
     * its authors' code has it: the sequence for the next lower power of two, then every other slope, from the first,
     * of the sequence for twice that many heads.
     *
     * @return one slope for each query head
     * @throws IllegalArgumentException unless positive
     */
    public static float[] geometric(int queryHeads) {
        if (queryHeads < 1) {
            throw new IllegalArgumentException("queryHeads: " + queryHeads + ", must be 1 or more");
        }
        int power = Integer.highestOneBit(queryHeads);
        float[] slopes = new float[queryHeads];
        for (int head = 0; head < queryHeads; head++) {
            // Every other slope of twice as many heads lies halfway between two of these, in the exponent.
            double step = head < power ? head + 1 : head - power + 0.5;
            slopes[head] = (float) Math.pow(2, -8 * step / power);
        }
        return slopes;
    }
}
