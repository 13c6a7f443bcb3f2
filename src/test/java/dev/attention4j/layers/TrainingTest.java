package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.testing.PlainLayer;
import java.io.IOException;
import java.nio.DoubleBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers that learn: steps in place, resumed training, and the same losses as a plain loop in double. */
class TrainingTest {
    private static final int STEPS = 20;
    private static final double RATE = 0.02;

    private final Tensor input = Tensor.random(1, 2, 4, 3);
    private final Tensor wanted = Tensor.random(2, 2, 4, 3);

    @TempDir
    Path directory;

    static List<EngineInfo> engines() {
        return LayerGradientsTest.engines();
    }

    private static MultiHeadAttention layer(AttentionEngine engine) {
        return MultiHeadAttention.builder().heads(2).keyDim(2).seed(5).build(engine);
    }

    /** Returns the loss Σ (output − wanted)² / 2 before a step. */
    private double step(AttentionLayer layer, Optimizer optimizer, double maxNorm) {
        AttentionInputs inputs =
                AttentionInputs.builder().query(input).value(input).build();
        try (LayerTape tape = layer.callForGradients(inputs)) {
            float[] difference = tape.output().toFloatArray();
            double loss = 0;
            for (int n = 0; n < difference.length; n++) {
                difference[n] -= wanted.floats().get(n);
                loss += difference[n] * difference[n] / 2;
            }
            try (LayerGradients gradients = tape.gradients(Tensor.of(difference, wanted.shape()))) {
                optimizer.clip(maxNorm, gradients.weights().values());
                layer.step(optimizer, gradients);
            }
            return loss;
        }
    }

    /** A loop without any code of the library: differences for gradients, AdamW and clipping written out. */
    private List<Double> inDouble(Map<String, Tensor> start, double maxNorm) {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        start.forEach((name, weight) -> {
            Tensor copy = Tensor.zeros(DType.FLOAT64, weight.shape());
            copy.bytes().asDoubleBuffer().put(weight.toDoubleArray());
            weights.put(name, copy);
        });
        Map<String, double[]> means = new LinkedHashMap<>();
        Map<String, double[]> squares = new LinkedHashMap<>();
        List<Double> losses = new ArrayList<>();
        for (int t = 1; t <= STEPS; t++) {
            losses.add(loss(weights));
            Map<String, double[]> gradients = new LinkedHashMap<>();
            double norm = 0;
            for (Map.Entry<String, Tensor> weight : weights.entrySet()) {
                DoubleBuffer elements = weight.getValue().bytes().asDoubleBuffer();
                double[] gradient = new double[elements.capacity()];
                for (int n = 0; n < gradient.length; n++) {
                    double at = elements.get(n);
                    elements.put(n, at + 1e-5);
                    double above = loss(weights);
                    elements.put(n, at - 1e-5);
                    gradient[n] = (above - loss(weights)) / 2e-5;
                    elements.put(n, at);
                    norm += gradient[n] * gradient[n];
                }
                gradients.put(weight.getKey(), gradient);
            }
            double factor = Math.min(1, maxNorm / (Math.sqrt(norm) + 1e-6));
            for (Map.Entry<String, double[]> one : gradients.entrySet()) {
                DoubleBuffer w = weights.get(one.getKey()).bytes().asDoubleBuffer();
                double[] g = one.getValue();
                double[] m = means.computeIfAbsent(one.getKey(), name -> new double[g.length]);
                double[] v = squares.computeIfAbsent(one.getKey(), name -> new double[g.length]);
                for (int n = 0; n < g.length; n++) {
                    m[n] = 0.9 * m[n] + 0.1 * g[n] * factor;
                    v[n] = 0.99 * v[n] + 0.01 * g[n] * factor * g[n] * factor;
                    double direction =
                            m[n] / (1 - Math.pow(0.9, t)) / (Math.sqrt(v[n] / (1 - Math.pow(0.99, t))) + 1e-2);
                    w.put(n, w.get(n) * (1 - RATE * 0.1) - RATE * direction);
                }
            }
        }
        return losses;
    }

    private double loss(Map<String, Tensor> weights) {
        double[] output =
                PlainLayer.inDouble(weights, input, input, input, new int[] {1}, (query, key, head) -> true).output;
        double loss = 0;
        for (int n = 0; n < output.length; n++) {
            double difference = output[n] - wanted.floats().get(n);
            loss += difference * difference / 2;
        }
        return loss;
    }

    private static Optimizer optimizer(AttentionEngine engine) {
        return Optimizer.adamW(RATE)
                .weightDecay(0.1)
                .betas(0.9, 0.99)
                .epsilon(1e-2)
                .build(engine);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void theLossesAreThoseOfAPlainLoopInDouble(EngineInfo info) {
        double maxNorm = 3;
        try (AttentionEngine engine = AttentionEngine.open(info.id());
                MultiHeadAttention layer = layer(engine);
                Optimizer optimizer = optimizer(engine)) {
            layer.initialize(3, 3, 3);
            List<Double> expected = inDouble(layer.weights().tensors(), maxNorm);
            for (int n = 0; n < STEPS; n++) {
                double loss = step(layer, optimizer, maxNorm);
                // A gradient's relative error of some hundred roundings moves a weight by less than that of a step, an
                // epsilon of
                // 1e-2 keeps quotients of small numbers apart from noise, and errors of all steps add up.
                assertThat(loss)
                        .as("step " + n)
                        .isCloseTo(expected.get(n), within(200 * (n + 1) * 0x1p-24 * expected.get(0)));
            }
            assertThat(expected.get(STEPS - 1)).isLessThan(expected.get(0) * 0.8);
        }
    }

    /** Weights and state through files, as a checkpoint. */
    @ParameterizedTest
    @MethodSource("engines")
    void resumedTrainingIsUninterruptedTraining(EngineInfo info) throws IOException {
        try (AttentionEngine engine = AttentionEngine.open(info.id());
                MultiHeadAttention layer = layer(engine);
                Optimizer optimizer = optimizer(engine);
                MultiHeadAttention second = layer(engine);
                Optimizer resumed = optimizer(engine)) {
            for (int n = 0; n < 3; n++) {
                step(layer, optimizer, 1);
            }
            layer.weights().write(directory.resolve("layer.safetensors"));
            Safetensors.write(directory.resolve("state.safetensors"), optimizer.state(), Map.of());
            second.load(LayerWeights.safetensors(directory.resolve("layer.safetensors")));
            resumed.load(
                    Safetensors.read(directory.resolve("state.safetensors")).tensors());
            for (int n = 0; n < 3; n++) {
                assertThat(step(second, resumed, 1)).isEqualTo(step(layer, optimizer, 1));
            }
            layer.weights().tensors().forEach((name, weight) -> assertThat(
                            second.weights().tensors().get(name).toFloatArray())
                    .isEqualTo(weight.toFloatArray()));
        }
    }

    /** The next call computes with the weights that the layer says it has. */
    @ParameterizedTest
    @MethodSource("engines")
    void theNextCallUsesTheSteppedWeights(EngineInfo info) {
        try (AttentionEngine engine = AttentionEngine.open(info.id());
                MultiHeadAttention layer = layer(engine);
                MultiHeadAttention other = layer(engine);
                Optimizer optimizer = Optimizer.sgd(0.1).build(engine)) {
            float[] before = layer.call(input).toFloatArray();
            step(layer, optimizer, 1);
            other.load(layer.weights());
            assertThat(layer.call(input).toFloatArray())
                    .isNotEqualTo(before)
                    .isEqualTo(other.call(input).toFloatArray());
            assertThat(layer.toString()).endsWith("changed by 1 steps");
        }
    }

    @Test
    @SuppressWarnings("try") // Closed on purpose.
    void whatDoesNotFitIsRefusedByName() {
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                AttentionEngine another = AttentionEngine.open("cpu");
                MultiHeadAttention layer = layer(engine);
                Optimizer optimizer = Optimizer.sgd(0.1).build(engine);
                LayerTape tape = layer.callForGradients(
                        AttentionInputs.builder().query(input).value(input).build());
                LayerGradients gradients = tape.gradients(wanted)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> layer.step(Optimizer.sgd(1).build(another), gradients))
                    .withMessageContaining("optimizer: on cpu")
                    .withMessageContaining("must be on the layer's engine");
            assertThatIllegalStateException()
                    .isThrownBy(() -> layer(engine).step(optimizer, gradients))
                    .withMessageContaining("weights: there are none yet");
            MultiHeadAttention wider =
                    MultiHeadAttention.builder().heads(2).keyDim(3).build(engine);
            wider.initialize(3, 3, 3);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> wider.step(optimizer, "wider.", gradients))
                    .withMessageContaining("gradient of wider.query.kernel: shape [3, 2, 2], must be [3, 2, 3]");
            layer.step(optimizer, gradients);
            assertThatIllegalStateException()
                    .isThrownBy(() -> tape.gradients(wanted))
                    .withMessageContaining("the layer's weights have changed since the call");
            gradients.close();
            layer.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> layer.step(optimizer, gradients))
                    .withMessageContaining("the layer is closed");
        }
    }
}
