package dev.attention4j.bench.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import java.util.function.ToDoubleFunction;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** The parts in plain Java against their formulas in double, and their gradients against finite differences of these. */
class FunctionsTest {
    private static final int ROWS = 7;
    private static final int WIDTH = 13;
    private static final double STEP = 1e-5;

    private static double[] random(int seed, int count) {
        Random random = new Random(seed);
        double[] numbers = new double[count];
        for (int n = 0; n < count; n++) {
            numbers[n] = (float) (2 * random.nextGaussian());
        }
        return numbers;
    }

    private static float[] floats(double... numbers) {
        float[] floats = new float[numbers.length];
        for (int n = 0; n < numbers.length; n++) {
            floats[n] = (float) numbers[n];
        }
        return floats;
    }

    private static double dot(double[] one, double... other) {
        double sum = 0;
        for (int n = 0; n < one.length; n++) {
            sum += one[n] * other[n];
        }
        return sum;
    }

    private static void assertDifferences(float[] gradient, ToDoubleFunction<double[]> function, double... at) {
        assertThat(gradient).hasSize(at.length);
        for (int n = 0; n < at.length; n++) {
            double kept = at[n];
            at[n] = kept + STEP;
            double above = function.applyAsDouble(at);
            at[n] = kept - STEP;
            double below = function.applyAsDouble(at);
            at[n] = kept;
            double expected = (above - below) / (2 * STEP);
            assertThat((double) gradient[n]).as("element " + n).isCloseTo(expected, within(expected));
        }
    }

    private static Offset<Double> within(double expected) {
        return Offset.offset(1e-5 * (1 + Math.abs(expected)));
    }

    private static double[] normalized(double[] input, double... weights) {
        double[] output = new double[input.length];
        for (int row = 0; row < ROWS; row++) {
            double mean = 0;
            double variance = 0;
            for (int n = 0; n < WIDTH; n++) {
                mean += input[row * WIDTH + n] / WIDTH;
            }
            for (int n = 0; n < WIDTH; n++) {
                variance += Math.pow(input[row * WIDTH + n] - mean, 2) / WIDTH;
            }
            for (int n = 0; n < WIDTH; n++) {
                double normal = (input[row * WIDTH + n] - mean) / Math.sqrt(variance + 1e-5);
                output[row * WIDTH + n] = normal * weights[n] + weights[WIDTH + n];
            }
        }
        return output;
    }

    @Test
    void layerNorm() {
        double[] input = random(1, ROWS * WIDTH);
        double[] weights = random(2, 2 * WIDTH);
        double[] by = random(3, ROWS * WIDTH);
        Functions.Normalized got = Functions.normalize(floats(input), floats(weights));
        double[] expected = normalized(input, weights);
        for (int n = 0; n < expected.length; n++) {
            assertThat((double) got.output()[n]).isCloseTo(expected[n], within(expected[n]));
        }
        float[] byWeights = new float[2 * WIDTH];
        float[] byInput = Functions.normalizeGradient(got, floats(by), floats(weights), byWeights);
        assertDifferences(byInput, at -> dot(by, normalized(at, weights)), input);
        assertDifferences(byWeights, at -> dot(by, normalized(input, at)), weights);
    }

    private static double gelu(double x) {
        return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }

    private static double[] gelu(double... input) {
        double[] output = new double[input.length];
        for (int n = 0; n < input.length; n++) {
            output[n] = gelu(input[n]);
        }
        return output;
    }

    @Test
    void geluOfSmallAndLarge() {
        double[] input = random(4, ROWS * WIDTH);
        input[0] = 0;
        input[1] = 40;
        input[2] = -40;
        double[] by = random(5, input.length);
        float[] gates = new float[input.length];
        float[] got = Functions.gelu(floats(input), ROWS, gates);
        for (int n = 0; n < got.length; n++) {
            assertThat((double) got[n]).isCloseTo(gelu(input[n]), within(gelu(input[n])));
        }
        assertDifferences(
                Functions.geluGradient(floats(input), ROWS, gates, floats(by)), at -> dot(by, gelu(at)), input);
    }

    private static double crossEntropy(double[] scores, int... targets) {
        double sum = 0;
        int count = 0;
        for (int row = 0; row < ROWS; row++) {
            if (targets[row] < 0) {
                continue;
            }
            double total = 0;
            for (int n = 0; n < WIDTH; n++) {
                total += Math.exp(scores[row * WIDTH + n]);
            }
            sum -= Math.log(Math.exp(scores[row * WIDTH + targets[row]]) / total);
            count++;
        }
        return sum / count;
    }

    @Test
    void crossEntropyOfRowsWithAnAnswer() {
        int[] targets = {3, 0, Batch.NONE, 12, 5, Batch.NONE, 1};
        double[] scores = random(6, ROWS * WIDTH);
        float[] got = floats(scores);
        double loss = Functions.crossEntropy(got, WIDTH, targets);
        assertThat(loss).isCloseTo(crossEntropy(scores, targets), Offset.offset(1e-6));
        assertDifferences(got, at -> crossEntropy(at, targets), scores);
        float[] large = {1000, -1000, 0, 1000};
        assertThat(Functions.crossEntropy(large, 2, 0, 0)).isEqualTo(500);
    }

    /** On one thread and on four. */
    @Test
    void bitsDoNotDependOnThreads() throws Exception {
        float[] input = floats(random(7, 999 * 64));
        float[] weights = floats(random(8, 128));
        ForkJoinPool one = new ForkJoinPool(1);
        ForkJoinPool four = new ForkJoinPool(4);
        try {
            assertThat(one.submit(() -> bits(input, weights)).get())
                    .containsExactly(four.submit(() -> bits(input, weights)).get());
        } finally {
            one.shutdown();
            four.shutdown();
        }
    }

    private static float[] bits(float[] input, float... weights) {
        Functions.Normalized normal = Functions.normalize(input, weights);
        float[] byWeights = new float[weights.length];
        float[] by = Functions.normalizeGradient(normal, normal.output(), weights, byWeights);
        float[] scores = Functions.gelu(by, 999, new float[by.length]);
        double loss = Functions.crossEntropy(scores, 64, new int[999]);
        float[] all = new float[byWeights.length + scores.length + 1];
        System.arraycopy(byWeights, 0, all, 0, byWeights.length);
        System.arraycopy(scores, 0, all, byWeights.length, scores.length);
        all[all.length - 1] = (float) loss;
        return all;
    }
}
