package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.List;

/** Checks the gradients of weights that a projector computes against plain sums. */
public final class WeightGradientCheck {
    private final AttentionEngine engine;

    /** Checks those of an engine that the caller closes. */
    public WeightGradientCheck(AttentionEngine engine) {
        this.engine = engine;
    }

    /** Inputs and results of one head and of several, of odd sizes, gated and not, from host and device. */
    public void everything() {
        Tensor byHeads = Tensor.random(2, 2, 3, 5, 7);
        check(Tensor.random(1, 2, 1, 5, 19), null, byHeads, Tensor.random(3, 2, 1, 5, 18), byHeads, byHeads, byHeads);
        Tensor heads = Tensor.random(4, 2, 3, 5, 6);
        Tensor gate = Tensor.random(5, 2, 3, 5, 6);
        Tensor byOutput = Tensor.random(6, 2, 1, 5, 4);
        check(heads, gate, byOutput);
        try (Tensor headsThere = engine.upload(heads);
                Tensor gateThere = engine.upload(gate);
                Tensor byOutputThere = engine.upload(byOutput)) {
            check(headsThere, gateThere, byOutputThere);
        }
        check(Tensor.random(1, 1, 1, 0, 2), null, Tensor.random(1, 1, 1, 0, 3));
    }

    /** One product of an input and the gradients of some results. */
    public void check(Tensor input, Tensor gate, Tensor... byResults) {
        List<Tensor> got = engine.projector().weightGradients(input, gate, List.of(byResults));
        assertThat(got).hasSize(byResults.length);
        for (int n = 0; n < byResults.length; n++) {
            compare(input, gate, byResults[n], got.get(n));
        }
        got.forEach(Tensor::close);
    }

    private static void compare(Tensor input, Tensor gate, Tensor byResult, Tensor got) {
        double[][] factors = positions(input);
        double[][] gates = gate == null ? null : positions(gate);
        double[][] results = positions(byResult);
        int inputs = (int) (input.size(1) * input.size(3));
        int outputs = (int) (byResult.size(1) * byResult.size(3));
        double[] oracle = new double[(1 + inputs) * outputs];
        float[] plain = new float[oracle.length];
        for (int position = 0; position < factors.length; position++) {
            for (int row = 0; row <= inputs; row++) {
                double factor = row == 0 ? 1 : factors[position][row - 1];
                if (row > 0 && gates != null) {
                    factor /= 1 + Math.exp(-gates[position][row - 1]);
                }
                for (int column = 0; column < outputs; column++) {
                    oracle[row * outputs + column] += factor * results[position][column];
                    plain[row * outputs + column] += (float) factor * (float) results[position][column];
                }
            }
        }
        assertThat(got.shape()).containsExactly(1 + inputs, outputs);
        YardstickCheck.compare("weight gradient", got, oracle, plain);
    }

    /** Returns the elements of each position, all heads' after each other. */
    private static double[][] positions(Tensor tensor) {
        int length = (int) tensor.size(2);
        int width = (int) tensor.size(3);
        double[][] positions = new double[(int) tensor.size(0) * length][(int) tensor.size(1) * width];
        double[] elements = tensor.toDoubleArray();
        for (int n = 0; n < elements.length; n++) {
            int row = n / width;
            int head = row / length % (int) tensor.size(1);
            int batch = row / length / (int) tensor.size(1);
            positions[batch * length + row % length][head * width + n % width] = elements[n];
        }
        return positions;
    }

    /** A tenth for each position: one running sum of floats would be off by thousands of roundings. */
    public void drift(int positions) {
        float[] tenths = new float[positions];
        Arrays.fill(tenths, 0.1f);
        Tensor ones = Tensor.of(tenths, 1, 1, positions, 1);
        try (Tensor got =
                engine.projector().weightGradients(ones, null, List.of(ones)).get(0)) {
            double tenth = 0.1f;
            double[] expected = {positions * tenth, positions * tenth * tenth};
            for (int n = 0; n < 2; n++) {
                // Sums of 128 products, of 32 of these, and of as many parts as there are.
                double roundings = 128 + 32 + positions / 4096 + 2;
                assertThat(Math.abs(got.get(n, 0) - expected[n])).isLessThan(roundings * 0x1p-24 * expected[n]);
            }
        }
    }
}
