package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.conformance.problems.RandomGradients;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a caller gets of gradients, on every engine. */
class GradientsTest {
    private static final boolean FULL = "full".equals(System.getProperty("grid"));

    private final Tensor query = Tensor.random(1, 2, 4, 9, 8);
    private final Tensor key = Tensor.random(2, 2, 2, 21, 8);
    private final Tensor value = Tensor.random(3, 2, 2, 21, 5);
    private final Tensor gradient = Tensor.random(4, 2, 4, 9, 5);

    static List<EngineInfo> engines() {
        List<EngineInfo> engines = new ArrayList<>(TestEngines.underTest());
        engines.add(Engines.resolve("oracle"));
        return engines;
    }

    /** Emulators take long to build what has nothing to do with them. */
    static List<EngineInfo> quickEngines() {
        return engines().stream()
                .filter(info -> FULL || info.kind() != EngineInfo.Kind.EMULATOR)
                .toList();
    }

    /** A tape keeps query, key, value and result; its gradients are those of the call. */
    @ParameterizedTest
    @MethodSource("engines")
    void tapeKeepsWhatGradientsNeed(EngineInfo info) {
        Attention attention = Attention.builder().causal(Alignment.BOTTOM_RIGHT).build();
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionTape tape = engine.attendForGradients(query, key, value, attention);
                AttentionGradients gradients = tape.gradients(gradient)) {
            assertThat(tape.output()).isSameAs(tape.result().output());
            GradientCall call =
                    GradientCall.of(query, key, value, attention, tape.result(), gradient, GradientOptions.DEFAULT);
            assertThat(new GradientYardstick(call).measure(gradients)).allMatch(Deviation::isAllowed);
            assertThat(gradients.query().isOnHost()).isTrue();
            assertThatThrownBy(gradients::bias)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("bias: its gradient was not asked for");
            assertThatThrownBy(() -> gradients.parameter("gain")).hasMessageContaining("withParameter(\"gain\")");
        }
    }

    /** Of tensors on a device the gradients are there too, and have the same bits. */
    @ParameterizedTest
    @MethodSource("quickEngines")
    void gradientsAreWhereTheQueryIs(EngineInfo info) {
        Tensor bias = Tensor.random(9, 4, 1, 21);
        Attention attention =
                Attention.builder().bias(bias).sinks(0.5f, 0, -1, 1).build();
        GradientOptions options = GradientOptions.DEFAULT.withBias().withSinks();
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor q = engine.upload(query);
                Tensor k = engine.upload(key);
                Tensor v = engine.upload(value);
                Tensor g = engine.upload(gradient);
                Tensor b = engine.upload(bias);
                AttentionTape there = engine.attendForGradients(
                        q, k, v, attention.toBuilder().bias(b).build());
                AttentionTape here = engine.attendForGradients(query, key, value, attention);
                AttentionGradients onDevice = there.gradients(g, options);
                AttentionGradients onHost = here.gradients(gradient, options)) {
            assertThat(onDevice.query().isOnHost()).isEqualTo(q.isOnHost());
            assertThat(onDevice.bias().isOnHost()).isEqualTo(q.isOnHost());
            bits(engine, onHost, options).forEach((name, bits) -> assertThat(
                            bits(engine, onDevice, options).get(name))
                    .as(name)
                    .isEqualTo(bits));
        }
    }

    /** The same call gives the same bits, whatever ran before. */
    @ParameterizedTest
    @MethodSource("quickEngines")
    void repeatsGiveTheSameBits(EngineInfo info) {
        int repeats = FULL ? 250 : 20;
        RandomGradients drawn = RandomGradients.draw(3, -1);
        try (AttentionEngine engine = TestEngines.open(info)) {
            Map<String, int[]> first = null;
            for (int n = 0; n < repeats; n++) {
                try (AttentionResult result =
                                engine.attend(drawn.query(), drawn.key(), drawn.value(), drawn.attention());
                        AttentionGradients gradients = engine.gradients(
                                drawn.query(),
                                drawn.key(),
                                drawn.value(),
                                drawn.attention(),
                                result,
                                drawn.outputGradient(),
                                drawn.options())) {
                    Map<String, int[]> bits = bits(engine, gradients, drawn.options());
                    Map<String, int[]> expected = first == null ? bits : first;
                    bits.forEach((name, found) -> assertThat(found).as(name).isEqualTo(expected.get(name)));
                    first = expected;
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void threadsOfTheCpuChangeNoBit(int threads) {
        Tensor q = Tensor.random(1, 1, 4, 150, 16);
        Tensor k = Tensor.random(2, 1, 2, 200, 16);
        Attention attention = Attention.builder()
                .bias(Tensor.random(3, 150, 200))
                .alibiSlopes(0.1f, 0.2f, 0.3f, 0.4f)
                .build();
        GradientOptions options = GradientOptions.DEFAULT.withBias().withAlibiSlopes();
        try (AttentionEngine engine = AttentionEngine.open("cpu", EngineOptions.DEFAULT.withThreads(threads));
                AttentionEngine two = AttentionEngine.open("cpu", EngineOptions.DEFAULT.withThreads(2));
                AttentionTape tape = engine.attendForGradients(q, k, k, attention);
                AttentionTape ofTwo = two.attendForGradients(q, k, k, attention);
                AttentionGradients gradients = tape.gradients(q, options);
                AttentionGradients expected = ofTwo.gradients(q, options)) {
            Map<String, int[]> bits = bits(two, expected, options);
            bits(engine, gradients, options)
                    .forEach((name, found) -> assertThat(found).as(name).isEqualTo(bits.get(name)));
        }
    }

    private static Map<String, int[]> bits(
            AttentionEngine engine, AttentionGradients gradients, GradientOptions options) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("query", gradients.query());
        tensors.put("key", gradients.key());
        tensors.put("value", gradients.value());
        if (options.bias()) {
            tensors.put("bias", gradients.bias());
        }
        if (options.sinks()) {
            tensors.put("sinks", gradients.sinks());
        }
        if (options.alibiSlopes()) {
            tensors.put("slopes", gradients.alibiSlopes());
        }
        options.parameters().forEach(name -> tensors.put(name, gradients.parameter(name)));
        Map<String, int[]> bits = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            float[] numbers = engine.download(tensor).toFloatArray();
            bits.put(
                    name,
                    IntStream.range(0, numbers.length)
                            .map(n -> Float.floatToRawIntBits(numbers[n]))
                            .toArray());
        });
        return bits;
    }

    @ParameterizedTest
    @MethodSource("quickEngines")
    void badArgumentsAreRefusedByName(EngineInfo info) {
        Attention attention = Attention.builder().logSumExp(true).build();
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionResult result = engine.attend(query, key, value, attention);
                AttentionResult without = engine.attend(query, key, value)) {
            GradientOptions none = GradientOptions.DEFAULT;
            refused(
                    () -> engine.gradients(query, key, value, attention, without, gradient),
                    "logSumExp: not asked for; Attention.builder().logSumExp(true)");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, Tensor.random(1, 2, 4, 9, 8)),
                    "outputGradient: shape [2, 4, 9, 8], must be [2, 4, 9, 5]: axis 3 is 8, must be 5");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient.to(DType.FLOAT16)),
                    "outputGradient: type FLOAT16, must be FLOAT32");
            AttentionResult other = new AttentionResult(query, null, result.logSumExp(), "none");
            refused(
                    () -> engine.gradients(query, key, value, attention, other, gradient),
                    "result's output: shape [2, 4, 9, 8], must be [2, 4, 9, 5]");
            refused(
                    () -> engine.gradients(
                            query,
                            key,
                            value,
                            attention,
                            result,
                            gradient,
                            none.withLogSumExpGradient(Tensor.random(1, 2, 4, 8))),
                    "logSumExpGradient: shape [2, 4, 8], must be [2, 4, 9]");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient, none.withBias()),
                    "options: want the gradient of bias, but the operation has none");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient, none.withSinks()),
                    "options: want the gradient of sinks");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient, none.withAlibiSlopes()),
                    "options: want the gradient of alibiSlopes");
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient, none.withParameter("x")),
                    "parameter: \"x\" of a score expression, but there is none");
            Attention scored = attention.toBuilder()
                    .score(
                            "floor(x) * score + n",
                            ScoreParameters.NONE.with("x", 0.5).with("n", 2))
                    .build();
            refused(
                    () -> engine.gradients(query, key, value, scored, result, gradient, none.withParameter("x")),
                    "score: \"floor(x) * score + n\" has no derivative by the parameter \"x\"");
            refused(
                    () -> engine.gradients(query, key, value, scored, result, gradient, none.withParameter("n")),
                    "parameter: \"n\" is a single int, must be of floats");
            refused(
                    () -> engine.gradients(query, key, value, scored, result, gradient, none.withParameter("y")),
                    "parameter: \"y\", must be one of the score expression's [x, n]");
            Attention stepped = attention.toBuilder().score("floor(score)").build();
            refused(
                    () -> engine.gradients(query, key, value, stepped, result, gradient),
                    "score: \"floor(score)\" has no derivative by the score");
            Tensor quantized = Tensor.random(2, 2, 2, 21, 8).to(DType.Q8_0);
            refused(
                    () -> engine.gradients(query, quantized, value, attention, result, gradient),
                    "key: type Q8_0, must be FLOAT32, FLOAT16 or BFLOAT16");
            Tensor pool = Tensor.random(2, 8, 2, 16, 8);
            Tensor values = Tensor.random(2, 8, 2, 16, 5);
            Tensor table = Tensor.zeros(DType.INT32, 2, 2);
            refused(
                    () -> engine.gradients(
                            query,
                            pool,
                            values,
                            attention.toBuilder().pageTable(table).build(),
                            result,
                            gradient),
                    "pageTable: given, must be left out");
        }
    }

    @Test
    void closedTensorsAreRefused() {
        Attention attention = Attention.builder().logSumExp(true).build();
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            AttentionResult result = engine.attend(query, key, value, attention);
            result.close();
            refused(
                    () -> engine.gradients(query, key, value, attention, result, gradient),
                    "result's output: the tensor is closed, must be open");
        }
    }

    private static void refused(ThrowingCallable call, String why) {
        assertThatThrownBy(call)
                .hasMessageContaining(why)
                .isInstanceOfAny(IllegalArgumentException.class, IllegalStateException.class);
    }
}
