package dev.attention4j.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.OnnxGroupQueryAttention;
import dev.attention4j.onnx.OnnxGroupQueryAttentionBuilder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@link OnnxGroupQueryAttention} against ONNX Runtime's own kernel on the CPU: random prompts, steps and continued prompts
 * with each attribute and input of the operator on and off.
 */
class GroupQueryAttentionTest {
    private static final int CASES = 360;

    private static final Set<String> ALWAYS =
            Set.of("query", "seqlens_k", "total_sequence_length", "num_heads", "kv_num_heads");

    /**
     * Outputs are means of values of size 1, of which both sides round a hundred or so scores and weights of 1 ± 6e-8 to
     * float.
     */
    private static final double TOLERANCE = 2e-5;

    /** A turned key is two products and a sum of numbers below 8, each rounded to float. */
    private static final double TURNED = 2e-6;

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();

    /** A random call. */
    private static final class Case {
        final Map<String, Tensor> inputs = new LinkedHashMap<>();
        final Map<String, Number> attributes = new HashMap<>();
        final String name;
        final int batch;
        final int length;
        final int[] totals;
        final boolean prompt;
        final boolean shareable;
        final boolean rotary;
        final OnnxGroupQueryAttentionBuilder node;

        Case(int seed) {
            Random random = new Random(seed);
            int keyHeads = 1 + random.nextInt(2);
            int heads = keyHeads * (1 + random.nextInt(3));
            int width = 16 * (1 + random.nextInt(2));
            int kind = seed % 3;
            prompt = kind == 0;
            batch = kind == 2 ? 1 : 1 + random.nextInt(3);
            length = kind == 1 ? 1 : 2 + random.nextInt(9);
            totals = new int[batch];
            for (int row = 0; row < batch; row++) {
                totals[row] = prompt ? 1 + random.nextInt(length) : length + 1 + random.nextInt(20);
            }
            int longest = prompt ? length : Arrays.stream(totals).max().orElseThrow();
            node = OnnxGroupQueryAttention.builder(heads, keyHeads);
            attributes.put("num_heads", heads);
            attributes.put("kv_num_heads", keyHeads);
            boolean packed = random.nextBoolean();
            if (packed) {
                inputs.put("query", Tensor.random(seed, batch, length, (long) (heads + 2 * keyHeads) * width));
            } else {
                inputs.put("query", Tensor.random(seed, batch, length, (long) heads * width));
                inputs.put("key", Tensor.random(seed + 1000, batch, length, (long) keyHeads * width));
                inputs.put("value", Tensor.random(seed + 2000, batch, length, (long) keyHeads * width));
            }
            shareable = !prompt && random.nextBoolean();
            if (!prompt) {
                int rows = shareable ? longest + random.nextInt(5) : longest - length;
                inputs.put("past_key", Tensor.random(seed + 3000, batch, keyHeads, rows, width));
                inputs.put("past_value", Tensor.random(seed + 4000, batch, keyHeads, rows, width));
            }
            inputs.put(
                    "seqlens_k",
                    integers(Arrays.stream(totals).map(each -> each - 1).toArray()));
            inputs.put("total_sequence_length", integers(longest));
            rotary = random.nextBoolean();
            if (rotary) {
                boolean interleaved = random.nextBoolean();
                RotaryEmbedding tables = RotaryEmbedding.builder(
                                width == 16 ? 16 : 16 * (1 + random.nextInt(2)), longest + 7)
                        .build();
                inputs.put("cos_cache", tables.cosines());
                inputs.put("sin_cache", tables.sines());
                attributes.put("do_rotary", 1);
                attributes.put("rotary_interleaved", interleaved ? 1 : 0);
                node.doRotary(true).rotaryInterleaved(interleaved);
                if (random.nextBoolean()) {
                    Tensor ids = Tensor.zeros(DType.INT64, batch, length);
                    // A prompt goes on from the first one, within the tables.
                    int most = prompt ? 8 : longest;
                    ids.bytes()
                            .asLongBuffer()
                            .put(random.longs((long) batch * length, 0, most).toArray());
                    inputs.put("position_ids", ids);
                }
            }
            if (random.nextBoolean()) {
                int window = 2 + random.nextInt(8);
                // This version's kernel counts the keys before the own one, which the operator's text and later ones do
                // not.
                attributes.put("local_window_size", window - 1);
                node.localWindowSize(window);
            }
            if (random.nextBoolean()) {
                float cap = 0.5f + random.nextFloat();
                attributes.put("softcap", cap);
                node.softcap(cap);
            }
            boolean smooth = random.nextBoolean();
            if (smooth) {
                attributes.put("smooth_softmax", 1);
                node.smoothSoftmax(true);
            } else if (random.nextInt(3) == 0) {
                inputs.put("head_sink", Tensor.random(seed + 5000, heads));
            }
            if (random.nextBoolean()) {
                inputs.put(
                        "attention_bias",
                        Tensor.random(
                                seed + 6000,
                                random.nextBoolean() ? 1 : batch,
                                random.nextBoolean() ? 1 : heads,
                                length,
                                longest));
            }
            if (random.nextBoolean()) {
                attributes.put("scale", 0.3f);
                node.scale(0.3f);
            }
            name = "case " + seed + " " + attributes + " " + inputs.keySet() + " lengths " + Arrays.toString(totals)
                    + " of " + length + " new";
        }

        private static Tensor integers(int... numbers) {
            Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
            tensor.bytes().asIntBuffer().put(numbers);
            return tensor;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "best"})
    void randomCallsAgreeWithOnnxRuntime(String engineName) throws OrtException {
        try (AttentionEngine engine = AttentionEngine.open(engineName)) {
            Map<String, Integer> given = new HashMap<>();
            for (int seed = 0; seed < CASES; seed++) {
                Case random = new Case(seed);
                check(engine, random);
                Stream.concat(random.inputs.keySet().stream(), random.attributes.keySet().stream())
                        .forEach(name -> given.merge(name, 1, Integer::sum));
            }
            assertThat(given.keySet()).containsAll(OnnxGroupQueryAttention.INPUTS);
            given.forEach((name, times) -> assertThat(ALWAYS.contains(name) ? CASES : times)
                    .as(name + " is given, and is not")
                    .isBetween(CASES / 10, ALWAYS.contains(name) ? CASES : CASES - CASES / 10));
        }
    }

    private void check(AttentionEngine engine, Case random) throws OrtException {
        Map<String, float[]> wanted = onnxRuntime(random);
        try (OnnxAttentionResult got = random.node.build().run(engine, random.inputs)) {
            compare(engine, random, wanted, got);
            got.presentKey().close();
            got.presentValue().close();
        }
        if (random.shareable) {
            Map<String, Tensor> shared = new LinkedHashMap<>(random.inputs);
            try (Tensor key = engine.upload(random.inputs.get("past_key"));
                    Tensor value = engine.upload(random.inputs.get("past_value"))) {
                shared.put("past_key", key);
                shared.put("past_value", value);
                try (OnnxAttentionResult got =
                        random.node.pastPresentShareBuffer(true).build().run(engine, shared)) {
                    assertThat(got.presentKey()).isSameAs(key);
                    assertThat(got.presentValue()).isSameAs(value);
                    compare(engine, random, wanted, got);
                }
            }
        }
    }

    private static void compare(
            AttentionEngine engine, Case random, Map<String, float[]> wanted, OnnxAttentionResult got) {
        float[] output = got.output().toFloatArray();
        int hidden = (int) got.output().size(2);
        assertThat(got.output().shape()).containsExactly(random.batch, random.length, hidden);
        for (int n = 0; n < output.length; n++) {
            int row = n / hidden / random.length;
            // Padding after a shorter prompt has no result.
            if (!random.prompt || n / hidden % random.length < random.totals[row]) {
                assertThat((double) output[n])
                        .as(engine + " " + random.name + " output " + n)
                        .isCloseTo(wanted.get("output")[n], within(TOLERANCE));
            }
        }
        present(engine, random, wanted.get("present_key"), got.presentKey(), random.rotary ? TURNED : 0);
        present(engine, random, wanted.get("present_value"), got.presentValue(), 0);
    }

    private static void present(AttentionEngine engine, Case random, float[] wanted, Tensor got, double tolerance) {
        float[] present = got.toFloatArray();
        assertThat(present).as(engine + " " + random.name).hasSize(wanted.length);
        int rows = (int) got.size(2);
        int width = (int) got.size(3);
        for (int n = 0; n < present.length; n++) {
            int row = n / width / rows / (int) got.size(1);
            if (n / width % rows < random.totals[row]) {
                assertThat((double) present[n])
                        .as(engine + " " + random.name + " present " + n)
                        .isCloseTo(wanted[n], within(tolerance));
            }
        }
    }

    private Map<String, float[]> onnxRuntime(Case random) throws OrtException {
        byte[] model = OnnxModel.groupQueryAttention(random.inputs.keySet(), random.attributes);
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            try (OrtSession session = environment.createSession(model, options)) {
                for (Map.Entry<String, Tensor> input : random.inputs.entrySet()) {
                    inputs.put(input.getKey(), onnxTensor(input.getValue()));
                }
                try (OrtSession.Result result = session.run(inputs)) {
                    Map<String, float[]> outputs = new HashMap<>();
                    result.forEach(output -> {
                        OnnxTensor tensor = (OnnxTensor) output.getValue();
                        float[] numbers = new float[(int) tensor.getInfo().getNumElements()];
                        tensor.getFloatBuffer().get(numbers);
                        outputs.put(output.getKey(), numbers);
                    });
                    return outputs;
                }
            }
        } catch (OrtException e) {
            throw new AssertionError(random.name, e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    private OnnxTensor onnxTensor(Tensor tensor) throws OrtException {
        return switch (tensor.dtype()) {
            case INT32 -> OnnxTensor.createTensor(environment, tensor.bytes().asIntBuffer(), tensor.shape());
            case INT64 -> OnnxTensor.createTensor(environment, tensor.bytes().asLongBuffer(), tensor.shape());
            default -> OnnxTensor.createTensor(environment, tensor.floats(), tensor.shape());
        };
    }
}
