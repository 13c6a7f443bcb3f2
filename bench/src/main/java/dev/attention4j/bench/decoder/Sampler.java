package dev.attention4j.bench.decoder;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Chooses the next token by its logits. */
public final class Sampler {
    private final double temperature;
    private final int most;
    private final SplittableRandom random;

    /**
     * Chooses among the likeliest.
     *
     * @param temperature that logits are divided by; 0 takes the likeliest token
     * @param most how many of the likeliest tokens may be chosen; 0 for all
     * @param seed of the choices
     */
    public Sampler(double temperature, int most, long seed) {
        if (!(temperature >= 0) || temperature == Double.POSITIVE_INFINITY) {
            throw new IllegalArgumentException("temperature: " + temperature + ", must be 0 or more");
        }
        if (most < 0) {
            throw new IllegalArgumentException("top-k: " + most + ", must be 0 or more");
        }
        this.temperature = temperature;
        this.most = most;
        random = new SplittableRandom(seed);
    }

    /** Returns one of the tokens whose logits are from an index on; of equal ones the first. */
    public int next(float[] logits, int from, int vocabulary) {
        int[] likeliest = IntStream.range(0, vocabulary)
                .boxed()
                .sorted((one, other) -> Float.compare(logits[from + other], logits[from + one]))
                .limit(temperature == 0 ? 1 : most == 0 ? vocabulary : most)
                .mapToInt(Integer::intValue)
                .toArray();
        if (likeliest.length == 1) {
            return likeliest[0];
        }
        double largest = logits[from + likeliest[0]];
        double[] weights = Arrays.stream(likeliest)
                .mapToDouble(token -> Math.exp((logits[from + token] - largest) / temperature))
                .toArray();
        double left = random.nextDouble() * Arrays.stream(weights).sum();
        int chosen = 0;
        while (chosen < likeliest.length - 1 && left >= weights[chosen]) {
            left -= weights[chosen++];
        }
        return likeliest[chosen];
    }
}
