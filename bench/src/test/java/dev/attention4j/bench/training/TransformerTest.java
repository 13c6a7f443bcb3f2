package dev.attention4j.bench.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.bench.decoder.Sampler;
import dev.attention4j.layers.Optimizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TransformerTest {
    private static final double DECAY = 0.01;
    private static final double MOST_NORM = 1;

    private static TransformerShape shape(boolean causal) {
        return new TransformerShape(17, 12, 24, 3, 2, 40, causal ? 17 : 4, causal);
    }

    /** Texts of different lengths, each of whose tokens follows from the one before but for chance. */
    private static Batch batch(int seed, TransformerShape shape) {
        Random random = new Random(seed);
        List<Batch.Example> examples = new ArrayList<>();
        for (int text = 0; text < 6; text++) {
            int length = 3 + random.nextInt(shape.context() - 2);
            int[] tokens = new int[length];
            int[] next = new int[length];
            int token = random.nextInt(shape.vocabulary());
            for (int n = 0; n < length; n++) {
                tokens[n] = token;
                token = random.nextInt(4) == 0 ? random.nextInt(17) : (5 * token + 1) % 17;
                next[n] = token;
            }
            examples.add(new Batch.Example(tokens, shape.causal() ? next : new int[] {tokens[1] % 4}));
        }
        return Batch.of(examples);
    }

    private static double step(Transformer model, Optimizer optimizer, Batch batch) {
        try (Transformer.Gradients gradients = model.gradients(batch, 0)) {
            optimizer.clip(MOST_NORM, gradients.all().values());
            model.step(optimizer, gradients);
            return gradients.loss();
        }
    }

    /** The same weights, batches and optimizer. */
    @ParameterizedTest
    @CsvSource({"best, true", "best, false", "cpu, true", "cpu, false"})
    void lossIsThatOfPyTorchOverFiftySteps(String device, boolean causal) {
        TransformerShape shape = shape(causal);
        Map<String, Tensor> first = shape.random(3);
        try (AttentionEngine engine = AttentionEngine.open(device);
                Transformer model = Transformer.open(engine, shape, first, 0);
                Optimizer optimizer = Optimizer.adamW(3e-3).weightDecay(DECAY).build(engine);
                TorchTransformer torch = TorchTransformer.open(shape, first, DECAY, MOST_NORM, 1)) {
            double least = Double.MAX_VALUE;
            double atFirst = 0;
            for (int n = 0; n < 50; n++) {
                Batch batch = batch(n, shape);
                double rate = 3e-3 * Math.min(1, (n + 1) / 10.0);
                optimizer.setLearningRate(rate);
                double loss = step(model, optimizer, batch);
                assertThat(loss).as("step " + n).isCloseTo(torch.step(batch, rate), Percentage.withPercentage(0.1));
                least = Math.min(least, loss);
                atFirst = n == 0 ? loss : atFirst;
            }
            assertThat(least).isLessThan(0.8 * atFirst);
        }
    }

    /** Six words, learned by heart. */
    @Test
    void overfitsAFewWords() {
        List<String> words = List.of("ape", "bear", "camel", "deer", "eagle", "fox", "gnu");
        Examples examples = Texts.letters(words, 0, 1);
        TransformerShape shape = new TransformerShape(
                examples.tokens().size(), 6, 32, 4, 2, 64, examples.tokens().size(), true);
        Batch all = Batch.of(examples.training());
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                Transformer model = Transformer.open(engine, shape, shape.random(1), 0);
                Optimizer optimizer = Optimizer.adamW(1e-2).build(engine)) {
            double first = model.loss(all);
            for (int n = 0; n < 120; n++) {
                step(model, optimizer, all);
            }
            // No model can tell the first of 6 letters: log(6) / 5 for words of some 4 letters and the end.
            assertThat(first).isGreaterThan(2);
            assertThat(model.loss(all)).isLessThan(0.5);
            List<String> written = InventedWords.write(model, examples.tokens(), 50, new Sampler(0.5, 0, 1));
            assertThat(words).containsAll(written);
            assertThat(written.stream().distinct()).hasSizeGreaterThan(3);
        }
    }

    /** Letter by letter from the cache as from the whole text anew, greedily and drawn. */
    @ParameterizedTest
    @CsvSource({"best, 0", "best, 1", "cpu, 1"})
    void writesFromTheCacheWhatItWouldWriteWithout(String device, double temperature) {
        TransformerShape shape = shape(true);
        Map<String, Tensor> weights = shape.random(5);
        // Scores that differ more than those of first weights.
        for (int n = 0; n < weights.get(TransformerShape.TOKENS).elementCount(); n++) {
            weights.get(TransformerShape.TOKENS).floats().put(n, (float) Math.sin(7 * n));
        }
        for (int n = shape.outputs(); n < weights.get(TransformerShape.OUTPUT).elementCount(); n++) {
            weights.get(TransformerShape.OUTPUT).floats().put(n, (float) Math.cos(3 * n));
        }
        int texts = 5;
        try (AttentionEngine engine = AttentionEngine.open(device);
                Transformer model = Transformer.open(engine, shape, weights, 0);
                CachedTransformer writer = CachedTransformer.open(model, texts)) {
            Sampler cached = new Sampler(temperature, 0, 9);
            Sampler anew = new Sampler(temperature, 0, 9);
            int[][] tokens = new int[texts][1];
            for (int text = 0; text < texts; text++) {
                tokens[text][0] = text;
            }
            for (int length = 1; length < shape.context(); length++) {
                int last = length - 1;
                int[] none = new int[length];
                float[] scores = writer.next(IntStream.range(0, texts)
                        .map(text -> tokens[text][last])
                        .toArray());
                float[] all = model.scores(Batch.of(IntStream.range(0, texts)
                        .mapToObj(text -> new Batch.Example(tokens[text].clone(), none))
                        .toList()));
                for (int text = 0; text < texts; text++) {
                    int next = cached.next(scores, text * 17, 17);
                    assertThat(next).isEqualTo(anew.next(all, (text * length + last) * 17, 17));
                    for (int n = 0; n < 17; n++) {
                        assertThat(scores[text * 17 + n])
                                .isCloseTo(all[(text * length + last) * 17 + n], Offset.offset(1e-4f));
                    }
                    tokens[text] = Arrays.copyOf(tokens[text], length + 1);
                    tokens[text][length] = next;
                }
            }
            assertThat(Arrays.stream(tokens).map(Arrays::toString).distinct()).hasSize(texts);
        }
    }

    @Test
    void refusesWhatCannotBe() {
        TransformerShape shape = shape(false);
        assertThatThrownBy(() -> new TransformerShape(17, 12, 24, 5, 2, 40, 17, true))
                .hasMessage("width: 24, must be a multiple of heads, 5");
        assertThatThrownBy(() -> new TransformerShape(1, 12, 24, 3, 2, 40, 17, true))
                .hasMessage("vocabulary: 1, must be 2 or more");
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                Transformer model = Transformer.open(engine, shape, shape.random(1), 0)) {
            assertThatThrownBy(() -> model.loss(Batch.of(List.of(new Batch.Example(new int[] {17}, new int[] {0})))))
                    .hasMessage("token: 17, must be from 0 to 16");
            assertThatThrownBy(() -> model.loss(Batch.of(List.of(new Batch.Example(new int[13], new int[] {0})))))
                    .hasMessage("tokens: 13 of a text, must be at most 12");
            assertThatThrownBy(() -> CachedTransformer.open(model, 1))
                    .hasMessage("model: an encoder, must be a decoder to write");
            Map<String, Tensor> weights = shape.random(1);
            weights.remove("block.1.up");
            assertThatThrownBy(() -> Transformer.open(engine, shape, weights, 0))
                    .hasMessageStartingWith("weights: block.1.up is null, must have the shape [25, 40]");
        }
    }
}
