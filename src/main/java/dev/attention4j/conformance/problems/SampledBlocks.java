package dev.attention4j.conformance.problems;

import java.util.SortedSet;
import java.util.TreeSet;

/** Which blocks of a result the oracle computes where all of them would take too long. */
public final class SampledBlocks {
    private static final double GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

    private SampledBlocks() {}

    /**
     * All, or the first and the last and between them a sequence that has no period in common with the heads.
     *
     * @param all how many blocks there are
     * @param most how many may be computed
     * @return numbers from 0 to {@code all − 1}; the first and the last even where fewer may be
     */
    public static SortedSet<Integer> choose(int all, double most) {
        SortedSet<Integer> chosen = new TreeSet<>();
        for (int n = 0; n < all; n++) {
            if (all <= most || n == 0 || n == all - 1) {
                chosen.add(n);
            }
        }
        for (int n = 1; all > most && n <= most - 2; n++) {
            chosen.add((int) (n * GOLDEN_RATIO % 1 * all));
        }
        return chosen;
    }
}
