package dev.attention4j.bench.decoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DecoderTest {
    private static final DecoderShape SHAPE = new DecoderShape(50, 48, 3, 4, 2, 16, 80, 10_000, 1e-5);
    private static final DecoderWeights WEIGHTS = DecoderWeights.random(SHAPE, 7);
    private static final int LENGTH = 24;
    private static final int PROMPT = 9;

    /** Logits are some units large; both sides add some thousand products in float. */
    private static final double TOLERANCE = 5e-5;

    @TempDir
    Path directory;

    private static int[] text(long seed) {
        return new SplittableRandom(seed).ints(LENGTH, 0, SHAPE.vocabulary()).toArray();
    }

    /** A prompt, some tokens at once and then one by one, two texts beside each other. */
    @ParameterizedTest
    @ValueSource(strings = {"opencl:0", "cpu"})
    void logitsAreOnnxRuntimesTokenByToken(String device) throws Exception {
        int[][] texts = {text(1), text(2)};
        float[][] expected = new float[2][];
        try (OnnxDecoder onnx = new OnnxDecoder(SHAPE, WEIGHTS, LENGTH)) {
            for (int n = 0; n < 2; n++) {
                expected[n] = onnx.logits(texts[n]);
            }
        }
        try (AttentionEngine engine = AttentionEngine.open(device);
                Decoder decoder = Decoder.open(engine, SHAPE, WEIGHTS, 2, LENGTH, DType.FLOAT32)) {
            int[] steps = {PROMPT, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
            int from = 0;
            for (int step : steps) {
                int to = from + step;
                float[] logits = decoder.logits(part(texts, from, to), step);
                for (int n = 0; n < 2; n++) {
                    int count = step * SHAPE.vocabulary();
                    assertClose(logits, n * count, expected[n], from * SHAPE.vocabulary(), count);
                }
                from = to;
            }
            assertThat(from).isEqualTo(LENGTH);
            assertThat(decoder.attentionSeconds()).isPositive();
            // What was guessed wrongly is taken back, and written anew.
            decoder.truncate(PROMPT);
            float[] again = decoder.logits(part(texts, PROMPT, PROMPT + 1), 1);
            assertClose(again, 0, expected[0], PROMPT * SHAPE.vocabulary(), SHAPE.vocabulary());
        }
    }

    private static int[][] part(int[][] texts, int from, int to) {
        return Arrays.stream(texts)
                .map(text -> Arrays.copyOfRange(text, from, to))
                .toArray(int[][]::new);
    }

    private static void assertClose(float[] got, int at, float[] expected, int from, int count) {
        for (int n = 0; n < count; n++) {
            assertThat((double) got[at + n]).isEqualTo(expected[from + n], within(TOLERANCE));
        }
    }

    /** In bfloat16, as such files are, and without the output's own matrix. */
    @Test
    void weightsAndSizesAreAFiles() throws Exception {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        WEIGHTS.tensors().forEach((name, tensor) -> tensors.put(name, tensor.to(DType.BFLOAT16)));
        tensors.remove(DecoderWeights.OUTPUT);
        Path path = directory.resolve("model.safetensors");
        Safetensors.write(path, tensors, Map.of());
        SafetensorsFile file = Safetensors.read(path);
        DecoderShape shape = DecoderShape.of(file, 16, 10_000, 1e-5);
        assertThat(shape).isEqualTo(SHAPE);
        DecoderWeights read = DecoderWeights.of(file, shape);
        assertThat(read.tensors().keySet()).isEqualTo(WEIGHTS.tensors().keySet());
        assertThat(read.tensor(DecoderWeights.OUTPUT)).isSameAs(read.tensor(DecoderWeights.EMBEDDINGS));
        assertThat(read.tensor(DecoderWeights.NORM).toFloatArray())
                .containsExactly(tensors.get(DecoderWeights.NORM).toFloatArray());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DecoderShape.of(file, 30, 10_000, 1e-5))
                .withMessage("head dim: 30, must divide the 64 rows of self_attn.q_proj.weight");
        DecoderShape other = new DecoderShape(50, 48, 3, 4, 2, 16, 81, 10_000, 1e-5);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DecoderWeights.of(file, other))
                .withMessageStartingWith(
                        "model.layers.0.mlp.gate_proj.weight: shape [80, 48], must be [81, 48] for 3 layers");
    }

    @Test
    void theWeightsAreAsManyAsTold() {
        long count = WEIGHTS.tensors().values().stream()
                .mapToLong(Tensor::elementCount)
                .sum();
        assertThat(SHAPE.weights()).isEqualTo(count);
    }

    @Test
    void theSamplerChoosesByLogits() {
        float[] logits = {9, 9, 0, (float) Math.log(3), -50, 0.5f};
        assertThat(new Sampler(0, 0, 1).next(logits, 0, 6)).isZero();
        assertThat(new Sampler(0, 0, 1).next(logits, 2, 3)).isEqualTo(1);
        Sampler sampler = new Sampler(1, 2, 1);
        int[] counts = new int[3];
        for (int n = 0; n < 10_000; n++) {
            counts[sampler.next(logits, 2, 3)]++;
        }
        // Of the logits 0, log 3 and −50 the two likeliest: a quarter and three quarters.
        assertThat(counts[2]).isZero();
        assertThat(counts[0] / 1e4).isEqualTo(0.25, within(0.02));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Sampler(-1, 0, 1))
                .withMessage("temperature: -1.0, must be 0 or more");
    }
}
