package dev.attention4j.bench.minilm;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtException;
import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.cli.minilm.MiniLm;
import dev.attention4j.cli.minilm.SentenceTokens;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MiniLmTest {
    private static final double LEAST_COSINE = 0.99999;

    private static OnnxReference reference;
    private static List<String> sentences;

    @BeforeAll
    static void open() throws IOException, OrtException {
        reference = new OnnxReference();
        try (InputStream in = MiniLmTest.class.getResourceAsStream("sentences.txt")) {
            sentences = new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
        }
    }

    @AfterAll
    static void close() throws OrtException {
        reference.close();
    }

    /** The CPU engine, and the OpenCL device that users get. */
    static List<String> engines() {
        EngineInfo best = Engines.resolve(Engines.BEST);
        assertThat(best.isOpenCl())
                .as("an OpenCL device; pocl-opencl-icd is one")
                .isTrue();
        return List.of("cpu", best.id());
    }

    @ParameterizedTest
    @MethodSource("engines")
    void embeddingsInPaddedBatchesAgreeWithOnnxRuntime(String device) throws IOException, OrtException {
        try (AttentionEngine engine = Engines.open(device, EngineOptions.DEFAULT);
                MiniLm model = MiniLm.load(engine)) {
            List<SentenceTokens> tokens =
                    sentences.stream().map(model::tokenize).toList();
            assertThat(tokens).hasSizeGreaterThanOrEqualTo(50);
            assertThat(tokens).extracting(SentenceTokens::length).contains(3).anyMatch(length -> length > 200);
            float[][] embeddings = model.embed(tokens);
            for (int n = 0; n < embeddings.length; n++) {
                assertThat(cosine(embeddings[n], reference.embedding(tokens.get(n))))
                        .as(sentences.get(n))
                        .isGreaterThanOrEqualTo(LEAST_COSINE);
                assertThat(dot(embeddings[n], embeddings[n])).isBetween(1 - 1e-6, 1 + 1e-6);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void everyHeadOfEveryLayerAttendsAsInOnnxRuntime(String device) throws IOException, OrtException {
        try (AttentionEngine engine = Engines.open(device, EngineOptions.DEFAULT);
                MiniLm model = MiniLm.load(engine)) {
            SentenceTokens sentence = model.tokenize("The train left the station on time.");
            assertThat(sentence.tokens())
                    .containsExactly("[CLS]", "the", "train", "left", "the", "station", "on", "time", ".", "[SEP]");
            List<float[]> expected = reference.attention(sentence);
            List<Tensor> layers = model.attention(sentence);
            assertThat(layers).hasSize(6).hasSameSizeAs(expected);
            for (int layer = 0; layer < layers.size(); layer++) {
                assertThat(layers.get(layer).shape()).containsExactly(12, 10, 10);
                assertThat(largestDifference(layers.get(layer).toFloatArray(), expected.get(layer)))
                        .as("layer %d", layer)
                        .isLessThan(1e-5);
            }
        }
    }

    @Test
    void whatTheModelCannotReadIsCutOff() throws IOException {
        try (AttentionEngine engine = Engines.open("cpu", EngineOptions.DEFAULT);
                MiniLm model = MiniLm.load(engine)) {
            SentenceTokens cut = model.tokenize("word ".repeat(600));
            assertThat(cut.length()).isEqualTo(512);
            assertThat(cut.isCut()).isTrue();
            assertThat(cut.tokens()).endsWith("word", "[SEP]");
            assertThat(model.tokenize("word ".repeat(510)).isCut()).isFalse();
            assertThat(model.embed(List.of(cut))).hasDimensions(1, 384);
            assertThat(model.embed(List.of())).isEmpty();
        }
    }

    private static double dot(float[] one, float[] other) {
        double sum = 0;
        for (int n = 0; n < one.length; n++) {
            sum += (double) one[n] * other[n];
        }
        return sum;
    }

    private static double cosine(float[] one, double[] other) {
        double product = 0;
        double squares = 0;
        for (int n = 0; n < one.length; n++) {
            product += one[n] * other[n];
            squares += other[n] * other[n];
        }
        return product / Math.sqrt(dot(one, one) * squares);
    }

    private static double largestDifference(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        // The maximum of doubles is NaN if there is one among them.
        return IntStream.range(0, actual.length)
                .mapToDouble(n -> Math.abs(actual[n] - expected[n]))
                .max()
                .orElseThrow();
    }
}
