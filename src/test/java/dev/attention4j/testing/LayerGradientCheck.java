package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.AttentionLayer;
import dev.attention4j.layers.LayerGradients;
import dev.attention4j.layers.LayerTape;
import java.nio.DoubleBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Checks a layer's gradients against differences of {@link PlainLayer} in double. */
public final class LayerGradientCheck {
    /** Errors of central differences grow with its square, and with rounding of doubles divided by it. */
    private static final double STEP = 1e-4;

    private final AttentionInputs inputs;
    private final int[] axes;
    private final PlainLayer.Mask mask;
    /** All that is differentiated, in double: weights by name, and each input once. */
    private final Map<Object, Tensor> variables = new LinkedHashMap<>();

    private final float[] outputGradient;

    private LayerGradientCheck(
            AttentionLayer layer, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask, float[] outputGradient) {
        this.inputs = inputs;
        this.axes = axes;
        this.mask = mask;
        this.outputGradient = outputGradient;
        layer.weights().tensors().forEach((name, tensor) -> variables.put(name, inDouble(tensor)));
        for (Tensor input : new Tensor[] {inputs.query(), inputs.value(), inputs.key()}) {
            variables.put(input, inDouble(input));
        }
    }

    private static Tensor inDouble(Tensor tensor) {
        Tensor copy = Tensor.zeros(DType.FLOAT64, tensor.shape());
        doubles(copy).put(tensor.toDoubleArray());
        return copy;
    }

    private static DoubleBuffer doubles(Tensor tensor) {
        return tensor.bytes().asDoubleBuffer();
    }

    /**
     * Calls the layer, computes its gradients of Σ output · c for random numbers c, and checks all of them.
     *
     * @param axes that are attended over
     */
    public static void check(AttentionLayer layer, AttentionInputs inputs, int[] axes, PlainLayer.Mask mask) {
        try (LayerTape tape = layer.callForGradients(inputs)) {
            Tensor outputGradient = Tensor.random(99, tape.output().shape());
            try (LayerGradients gradients = tape.gradients(outputGradient)) {
                LayerGradientCheck check =
                        new LayerGradientCheck(layer, inputs, axes, mask, outputGradient.toFloatArray());
                assertThat(tape.output().toFloatArray())
                        .isEqualTo(layer.call(inputs).output().toFloatArray());
                assertThat(gradients.weights().keySet())
                        .containsExactlyElementsOf(layer.weights().tensors().keySet());
                check.all(gradients);
            }
        }
    }

    private void all(LayerGradients gradients) {
        Map<Object, Tensor> got = new LinkedHashMap<>(gradients.weights());
        got.put(inputs.query(), gradients.query());
        got.put(inputs.value(), gradients.value());
        got.put(inputs.key(), gradients.key());
        Map<Object, double[]> expected = new LinkedHashMap<>();
        variables.forEach((variable, tensor) -> expected.put(variable, differences(tensor)));
        double largest = expected.values().stream()
                .flatMapToDouble(Arrays::stream)
                .map(Math::abs)
                .max()
                .orElse(0);
        // Each rounding is half a unit in the last place of a sum that is of the order of the largest gradient; a
        // gradient is
        // behind one sum along each of these axes, of which none is longer than all inputs together.
        long roundings = inputs.query().elementCount()
                + inputs.value().elementCount()
                + inputs.key().elementCount();
        double tolerance = largest * roundings * 0x1p-24 + 100 * STEP * STEP;
        assertThat(got.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
        got.forEach((variable, tensor) -> {
            String name = variable instanceof String text ? text : "input " + variable;
            Tensor of = variables.get(variable);
            assertThat(tensor.dtype()).as(name).isEqualTo(DType.FLOAT32);
            assertThat(tensor.shape()).as(name).isEqualTo(of.shape());
            assertThat(tensor.toDoubleArray()).as(name).containsExactly(expected.get(variable), within(tolerance));
        });
    }

    private double[] differences(Tensor tensor) {
        DoubleBuffer elements = doubles(tensor);
        double[] differences = new double[elements.capacity()];
        for (int n = 0; n < differences.length; n++) {
            double at = elements.get(n);
            elements.put(n, at + STEP);
            double above = function();
            elements.put(n, at - STEP);
            double below = function();
            elements.put(n, at);
            differences[n] = (above - below) / (2 * STEP);
        }
        return differences;
    }

    private double function() {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        variables.forEach((variable, tensor) -> {
            if (variable instanceof String name) {
                weights.put(name, tensor);
            }
        });
        double[] output = PlainLayer.inDouble(
                        weights,
                        variables.get(inputs.query()),
                        variables.get(inputs.value()),
                        variables.get(inputs.key()),
                        axes,
                        mask)
                .output;
        double sum = 0;
        for (int n = 0; n < output.length; n++) {
            sum += output[n] * outputGradient[n];
        }
        return sum;
    }
}
