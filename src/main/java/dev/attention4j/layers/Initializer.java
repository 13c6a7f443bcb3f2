package dev.attention4j.layers;

import java.nio.FloatBuffer;
import java.util.random.RandomGenerator;

/** Sets the first elements of a weight. */
@FunctionalInterface
public interface Initializer {
    /**
     * Uniform within ±√(6 / (fanIn + fanOut)) (Glorot and Bengio, "Understanding the difficulty of training deep
     * feedforward neural networks", 2010); Keras's default for kernels.
     */
    Initializer GLOROT_UNIFORM = (weight, fanIn, fanOut, random) -> {
        double limit = Math.sqrt(6.0 / (fanIn + fanOut));
        while (weight.hasRemaining()) {
            weight.put((float) random.nextDouble(-limit, limit));
        }
    };

    /** All zeros; Keras's default for biases. */
    Initializer ZEROS = (weight, fanIn, fanOut, random) -> {
        while (weight.hasRemaining()) {
            weight.put(0);
        }
    };

    /**
     * Fills a weight.
     *
     * @param weight filled from its position to its limit
     * @param fanIn the number of inputs that are summed for each output: as Keras counts since 3.15, the product of the
     *     kernel's input axes; a bias has its kernel's
     * @param fanOut the number of outputs of each input: the product of the kernel's output axes
     * @param random for this weight alone
     */
    void fill(FloatBuffer weight, long fanIn, long fanOut, RandomGenerator random);
}
