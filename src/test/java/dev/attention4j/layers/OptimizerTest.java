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
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Optimizers on every engine, against PyTorch's formulas written out in double. */
class OptimizerTest {
    private static final int STEPS = 25;

    @TempDir
    Path directory;

    static List<EngineInfo> engines() {
        return LayerGradientsTest.engines();
    }

    /** The rules of torch.optim for one number, in double. */
    private static final class Rule {
        double weightDecay;
        double momentum;
        boolean nesterov;
        boolean adam;
        boolean decoupled;
        double beta1 = 0.9;
        double beta2 = 0.999;
        double epsilon = 1e-8;
        private double b;
        private double m;
        private double v;
        private int t;

        static Rule of(Consumer<Rule> options) {
            Rule rule = new Rule();
            options.accept(rule);
            return rule;
        }

        double step(double weight, double gradient, double rate) {
            t++;
            double w = decoupled ? weight - rate * weightDecay * weight : weight;
            double g = decoupled ? gradient : gradient + weightDecay * weight;
            if (adam) {
                m = beta1 * m + (1 - beta1) * g;
                v = beta2 * v + (1 - beta2) * g * g;
                double mHat = m / (1 - Math.pow(beta1, t));
                double vHat = v / (1 - Math.pow(beta2, t));
                return w - rate * mHat / (Math.sqrt(vHat) + epsilon);
            }
            b = t > 1 ? momentum * b + g : g;
            return w - rate * (momentum == 0 ? g : nesterov ? g + momentum * b : b);
        }
    }

    private record Case(OptimizerBuilder builder, Consumer<Rule> options) {}

    private static List<Case> cases() {
        return List.of(
                new Case(Optimizer.sgd(0.05), rule -> {}),
                new Case(Optimizer.sgd(0.05).weightDecay(0.1), rule -> rule.weightDecay = 0.1),
                new Case(Optimizer.sgd(0.05).momentum(0.8), rule -> rule.momentum = 0.8),
                new Case(Optimizer.sgd(0.05).momentum(0.8).nesterov(true).weightDecay(0.1), rule -> {
                    rule.momentum = 0.8;
                    rule.nesterov = true;
                    rule.weightDecay = 0.1;
                }),
                new Case(Optimizer.adam(0.05), rule -> rule.adam = true),
                new Case(Optimizer.adam(0.05).weightDecay(0.1).betas(0.8, 0.95).epsilon(1e-3), rule -> {
                    rule.adam = true;
                    rule.weightDecay = 0.1;
                    rule.beta1 = 0.8;
                    rule.beta2 = 0.95;
                    rule.epsilon = 1e-3;
                }),
                new Case(Optimizer.adamW(0.05), rule -> {
                    rule.adam = true;
                    rule.decoupled = true;
                    rule.weightDecay = 0.01;
                }));
    }

    /** Of the function Σ (w − c)² / 2 · k, whose gradient is k (w − c), with a learning rate that changes. */
    @ParameterizedTest
    @MethodSource("engines")
    void everyRule(EngineInfo info) {
        Tensor start = Tensor.random(1, 5, 7);
        float[] centre = Tensor.random(2, 5, 7).toFloatArray();
        try (AttentionEngine engine = AttentionEngine.open(info.id())) {
            for (Case one : cases()) {
                try (Optimizer optimizer = one.builder.build(engine);
                        Tensor there = engine.upload(start)) {
                    Tensor here = Tensor.of(start.toFloatArray(), 5, 7);
                    Rule[] rules = IntStream.range(0, centre.length)
                            .mapToObj(n -> Rule.of(one.options))
                            .toArray(Rule[]::new);
                    double[] expected = start.toDoubleArray();
                    for (int step = 0; step < STEPS; step++) {
                        double rate = 0.05 / (1 + step / 10);
                        optimizer.setLearningRate(rate);
                        // Gradients of the double weights, so that errors are those of steps alone.
                        float[] gradient = new float[centre.length];
                        for (int n = 0; n < centre.length; n++) {
                            gradient[n] = (float) ((expected[n] - centre[n]) * (1 + n % 3));
                            expected[n] = rules[n].step(expected[n], gradient[n], rate);
                        }
                        Tensor byWeight = Tensor.of(gradient, 5, 7);
                        optimizer.step(
                                Map.of("there", there, "here", here), Map.of("there", byWeight, "here", byWeight));
                    }
                    // A step has some ten roundings of numbers of the weights' size, which is below 4, and steps add
                    // up.
                    double tolerance = STEPS * 10 * 4 * 0x1p-24;
                    assertThat(there.toDoubleArray())
                            .as(optimizer.toString())
                            .containsExactly(expected, within(tolerance));
                    assertThat(here.toDoubleArray())
                            .as(optimizer.toString())
                            .containsExactly(expected, within(tolerance));
                }
            }
        }
    }

    /** The norm is that of all gradients together, and the factor PyTorch's. */
    @ParameterizedTest
    @MethodSource("engines")
    void clippingByTheGlobalNorm(EngineInfo info) {
        Tensor first = Tensor.random(1, 3000);
        Tensor second = Tensor.random(2, 4, 5);
        double squares = 0;
        for (Tensor tensor : List.of(first, second)) {
            for (double element : tensor.toDoubleArray()) {
                squares += element * element;
            }
        }
        double norm = Math.sqrt(squares);
        double factor = 2 / (norm + 1e-6);
        try (AttentionEngine engine = AttentionEngine.open(info.id());
                Optimizer optimizer = Optimizer.sgd(1).build(engine);
                Tensor there = engine.upload(first)) {
            float[] before = second.toFloatArray();
            // Half of the relative error of a sum of squares, whose sums are of 64.
            double error = 64 * 0x1p-24;
            assertThat(optimizer.clip(norm * 1.01, List.of(there, second))).isCloseTo(norm, within(error * norm));
            assertThat(second.toFloatArray()).isEqualTo(before);
            assertThat(optimizer.clip(2, List.of(there, second))).isCloseTo(norm, within(error * norm));
            for (int n = 0; n < 3000; n++) {
                double expected = first.get(n) * factor;
                assertThat(there.get(n)).isCloseTo(expected, within(Math.abs(expected) * 2 * error));
            }
            for (int n = 0; n < before.length; n++) {
                double expected = before[n] * factor;
                assertThat(second.get(n / 5, n % 5)).isCloseTo(expected, within(Math.abs(expected) * 2 * error));
            }
            Tensor infinite = Tensor.of(new float[] {1, Float.POSITIVE_INFINITY}, 2);
            assertThat(optimizer.clip(1, List.of(infinite))).isInfinite();
            assertThat(infinite.toFloatArray()).containsExactly(1, Float.POSITIVE_INFINITY);
        }
    }

    /** Through a file, on tensors of device and host. */
    @ParameterizedTest
    @MethodSource("engines")
    void aRestoredStateGoesOnToTheSameBits(EngineInfo info) throws IOException {
        List<Function<Void, OptimizerBuilder>> builders = List.of(
                nothing -> Optimizer.sgd(0.1),
                nothing -> Optimizer.sgd(0.1).momentum(0.9),
                nothing -> Optimizer.adamW(0.1));
        try (AttentionEngine engine = AttentionEngine.open(info.id())) {
            for (Function<Void, OptimizerBuilder> builder : builders) {
                Path file = directory.resolve("state.safetensors");
                try (Optimizer whole = builder.apply(null).build(engine);
                        Optimizer restored = builder.apply(null).build(engine);
                        Tensor there = engine.upload(Tensor.random(1, 3, 4))) {
                    Map<String, Tensor> weights = new LinkedHashMap<>();
                    weights.put("a.there", there);
                    weights.put("here", Tensor.random(2, 5));
                    run(whole, weights, 0, 3);
                    Safetensors.write(file, whole.state(), Map.of());
                    Map<String, Tensor> copies = new LinkedHashMap<>();
                    weights.forEach((name, weight) -> copies.put(
                            name, weight == there ? engine.upload(engine.download(there)) : engine.download(weight)));
                    run(whole, weights, 3, 8);
                    restored.load(Safetensors.read(file).tensors());
                    run(restored, copies, 3, 8);
                    weights.forEach((name, weight) ->
                            assertThat(copies.get(name).toFloatArray()).isEqualTo(weight.toFloatArray()));
                    assertThat(restored.state().keySet())
                            .isEqualTo(whole.state().keySet());
                    whole.state().forEach((name, tensor) -> assertThat(
                                    restored.state().get(name).toDoubleArray())
                            .as(name)
                            .isEqualTo(tensor.toDoubleArray()));
                    copies.values().forEach(Tensor::close);
                }
            }
        }
    }

    private static void run(Optimizer optimizer, Map<String, Tensor> weights, int from, int to) {
        for (int step = from; step < to; step++) {
            Map<String, Tensor> gradients = new LinkedHashMap<>();
            int seed = step;
            weights.forEach((name, weight) -> gradients.put(name, Tensor.random(seed, weight.shape())));
            optimizer.step(weights, gradients);
        }
    }

    @Test
    void badOptionsAreRefusedByName() {
        for (double rate : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Optimizer.adam(rate))
                    .withMessageContaining("learningRate: " + rate + ", must be 0 or more and finite");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.sgd(1).betas(0.9, 0.99))
                .withMessageContaining("betas: given, must be left out but for adam and adamW");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.adamW(1).momentum(0.9))
                .withMessageContaining("momentum: given, must be left out but for sgd");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.adam(1).betas(0.9, 1))
                .withMessageContaining("betas: 1.0, must be from 0 to below 1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.adam(1).epsilon(-1))
                .withMessageContaining("epsilon: -1.0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.sgd(1).weightDecay(Double.NaN))
                .withMessageContaining("weightDecay: NaN");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Optimizer.sgd(1).nesterov(true).build(AttentionEngine.open("cpu")))
                .withMessageContaining("nesterov: true with a momentum of 0");
    }

    @Test
    void badInputIsRefusedByNameAndChangesNothing() {
        Tensor weight = Tensor.random(1, 3);
        Tensor gradient = Tensor.random(2, 3);
        float[] before = weight.toFloatArray();
        AttentionEngine engine = AttentionEngine.open("cpu");
        Optimizer optimizer = Optimizer.adam(0.1).build(engine);
        Map<String, Tensor> weights = Map.of("w", weight);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.step(weights, Map.of()))
                .withMessageContaining("gradients: none of [w] must be one of each weight [w]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.step(weights, Map.of("w", gradient, "x", gradient)))
                .withMessageContaining("gradients: of [x], which are no weights, must be one of each weight");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.step(weights, Map.of("w", gradient.reshape(1, 3))))
                .withMessageContaining("gradient of w: shape [1, 3], must be [3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.clip(0, List.of(gradient)))
                .withMessageContaining("maxNorm: 0.0, must be above 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.setLearningRate(Double.NaN))
                .withMessageContaining("learningRate: NaN");
        assertThat(weight.toFloatArray()).isEqualTo(before);
        optimizer.step(weights, Map.of("w", gradient));
        Tensor longer = Tensor.random(1, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.step(Map.of("w", longer), Map.of("w", longer)))
                .withMessageContaining("w: shape [4], must be [3] as its exp_avg");
        Map<String, Tensor> state = new LinkedHashMap<>(optimizer.state());
        state.remove("w.step");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.load(state))
                .withMessageContaining("state: has no w.step, must have [.exp_avg, .exp_avg_sq, .step]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.load(Map.of("w.momentum_buffer", gradient)))
                .withMessageContaining("state: has w.momentum_buffer, must have a name that ends in one of");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> optimizer.load(Map.of("w.exp_avg", gradient.to(DType.FLOAT16))))
                .withMessageContaining("must be FLOAT32 on the host");
        optimizer.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> optimizer.step(weights, Map.of("w", gradient)))
                .withMessageContaining("the optimizer is closed");
        engine.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> Optimizer.sgd(1).build(engine).step(weights, Map.of("w", gradient)))
                .withMessageContaining("closed");
    }
}
