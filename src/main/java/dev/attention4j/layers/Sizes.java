package dev.attention4j.layers;

import java.util.Arrays;

/** Arithmetic on the sizes of axes. */
final class Sizes {
    private Sizes() {}

    static long product(long... axes) {
        long product = 1;
        for (long axis : axes) {
            product = Math.multiplyExact(product, axis);
        }
        return product;
    }

    static long[] concat(long[] first, long... second) {
        long[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
