package dev.attention4j.testing;

import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Random;

/** Random boolean masks of which neighbouring keys are mostly alike, so that whole blocks of them are. */
public final class MasksInRuns {
    private MasksInRuns() {}

    /**
     * Draws a mask; the same for the same arguments.
     *
     * @param changes the probability that an element differs from the one before it
     */
    public static Tensor draw(double changes, long... shape) {
        boolean[] elements = new boolean[Math.toIntExact(Arrays.stream(shape).reduce(1, (one, other) -> one * other))];
        Random random = new Random(elements.length);
        for (int n = 1; n < elements.length; n++) {
            elements[n] = elements[n - 1] ^ (random.nextDouble() < changes);
        }
        return Tensor.of(elements, shape);
    }
}
