package dev.attention4j.expression;

/**
 * Philox 4×32-10, a random generator without a state: four words are a function of four words of a counter and two of a key (Salmon
 * et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). The numbers of a place do not depend on the device, the
 * thread or the order in which they are computed.
 *
 * <p>Kernels have the same in {@code opencl/common/dropout.clh}.
 */
final class Philox {
    private static final int ROUNDS = 10;
    private static final long FIRST_FACTOR = 0xD2511F53L;
    private static final long SECOND_FACTOR = 0xCD9E8D57L;
    /** Added to the first word of the key after each round. */
    private static final int FIRST_STEP = 0x9E3779B9;

    private static final int SECOND_STEP = 0xBB67AE85;

    private Philox() {}

    /** Replaces a counter of four words by the four random words of it and a key. */
    static void encrypt(int[] counter, int firstKey, int secondKey) {
        for (int round = 0; round < ROUNDS; round++) {
            long first = FIRST_FACTOR * Integer.toUnsignedLong(counter[0]);
            long second = SECOND_FACTOR * Integer.toUnsignedLong(counter[2]);
            counter[0] = (int) (second >>> 32) ^ counter[1] ^ (firstKey + round * FIRST_STEP);
            counter[1] = (int) second;
            counter[2] = (int) (first >>> 32) ^ counter[3] ^ (secondKey + round * SECOND_STEP);
            counter[3] = (int) first;
        }
    }
}
