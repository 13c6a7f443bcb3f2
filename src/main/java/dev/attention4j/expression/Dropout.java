package dev.attention4j.expression;

/**
 * Dropout of weights: which are kept, by their places in the whole call. Word {@code key % 4} of {@link Philox}'s for the seed and
 * the counter (key ÷ 4, query, head, batch row) keeps a weight if, unsigned, it is {@link #threshold} or more.
 */
public record Dropout(double rate, long seed) {
    private static final int WORDS = 4;

    /**
     * Checks the rate.
     *
     * @throws IllegalArgumentException unless it is 0 or more and less than 1
     */
    public Dropout {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("rate " + rate + ", must be 0 or more, and less than 1");
        }
    }

    /** {@return the least word, of 2³² ones, that keeps a weight} */
    long threshold() {
        return Math.min((1L << 32) - 1, Math.round(rate * 0x1p32));
    }

    /** {@return the factor of a kept weight} */
    public double factor() {
        return 1 / (1 - rate);
    }

    /**
     * Returns which weights of a query and some consecutive keys are kept.
     *
     * @param origin of the part of the call in which batch, head and query are counted
     */
    public boolean[] kept(Origin origin, int batch, int head, int query, int firstKey, int count) {
        boolean[] kept = new boolean[count];
        int[] words = new int[WORDS];
        for (int n = 0; n < count; n++) {
            int key = firstKey + n;
            if (n == 0 || key % WORDS == 0) {
                words[0] = key / WORDS;
                words[1] = origin.query() + query;
                words[2] = origin.head() + head;
                words[3] = origin.batch() + batch;
                Philox.encrypt(words, (int) seed, (int) (seed >>> 32));
            }
            kept[n] = Integer.toUnsignedLong(words[key % WORDS]) >= threshold();
        }
        return kept;
    }
}
