package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.testing.RandomInputs;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows with nothing to attend to, and NaN and infinity: hidden where they are masked, shown where they are not. */
class CpuMaskingTest {
    private static CpuEngine engine;

    @BeforeAll
    static void open() {
        engine = new CpuEngine(EngineOptions.DEFAULT.withThreads(2));
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 70})
    void aRowWithNoKeyGivesZeros(int queries) {
        boolean[] mask = new boolean[queries];
        mask[1] = true;
        RandomInputs inputs = RandomInputs.random(1, 1, 1, queries, 9, 8, 8);
        Tensor bias = Tensor.zeros(DType.FLOAT32, queries, 1);
        for (int row = 0; row < queries; row++) {
            bias.floats().put(row, mask[row] ? 0 : Float.NEGATIVE_INFINITY);
        }
        for (AttentionBuilder attention : List.of(
                Attention.builder().mask(Tensor.of(mask, queries, 1)),
                Attention.builder().bias(bias))) {
            inputs.check(engine, attention);
            AttentionResult result =
                    inputs.attend(engine, attention.weights(true).logSumExp(true));
            assertThat(result.logSumExp().get(0, 0, 0)).isEqualTo(Double.NEGATIVE_INFINITY);
            assertThat(result.output().slice(2, 2, queries).toFloatArray()).containsOnly(0f);
            assertThat(result.weights().slice(2, 2, queries).toFloatArray()).containsOnly(0f);
        }
    }

    @ParameterizedTest
    @CsvSource({"3, NaN", "70, NaN", "70, Infinity", "3, -Infinity", "140, NaN"})
    void whatIsMaskedChangesNoBit(int queries, float poison) {
        int keys = 150;
        int dim = 10;
        // Every seventh key is masked for all rows by the mask, and beyond 139 by the band.
        boolean[] mask = new boolean[keys];
        for (int j = 0; j < keys; j++) {
            mask[j] = j % 7 != 3;
        }
        RandomInputs clean = RandomInputs.random(1, 2, 1, queries, keys, dim, dim);
        Tensor cleanBias = Tensor.random(7, 1, keys);
        Tensor bias = Tensor.of(cleanBias.toFloatArray(), 1, keys);
        float[] key = clean.key().toFloatArray();
        float[] value = clean.value().toFloatArray();
        for (int j = 0; j < keys; j++) {
            if (!mask[j] || j > 139) {
                Arrays.fill(key, j * dim, (j + 1) * dim, poison);
                Arrays.fill(value, j * dim, (j + 1) * dim, poison);
                bias.floats().put(j, poison);
            }
        }
        RandomInputs poisoned =
                new RandomInputs(clean.query(), Tensor.of(key, 1, 1, keys, dim), Tensor.of(value, 1, 1, keys, dim));
        AttentionBuilder attention = Attention.builder()
                .mask(Tensor.of(mask, keys))
                .causalOffsets(139 - (queries - 1))
                .softcap(30)
                .logSumExp(true);
        for (boolean weights : new boolean[] {false, true}) {
            attention.weights(weights);
            CpuEngineTest.sameBits(
                    clean.attend(engine, attention.bias(cleanBias)),
                    poisoned.attend(engine, attention.bias(bias)),
                    weights);
        }
    }

    @Test
    void aBiasOfMinusInfinityHidesNan() {
        RandomInputs clean = RandomInputs.random(1, 1, 1, 40, 8, 4, 4);
        float[] key = clean.key().toFloatArray();
        float[] value = clean.value().toFloatArray();
        key[5 * 4 + 1] = Float.NaN;
        value[5 * 4 + 2] = Float.NaN;
        float[] bias = new float[8];
        bias[5] = Float.NEGATIVE_INFINITY;
        AttentionBuilder attention =
                Attention.builder().bias(Tensor.of(bias, 8)).logSumExp(true);
        RandomInputs poisoned =
                new RandomInputs(clean.query(), Tensor.of(key, 1, 1, 8, 4), Tensor.of(value, 1, 1, 8, 4));
        CpuEngineTest.sameBits(clean.attend(engine, attention), poisoned.attend(engine, attention), false);
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 70})
    void nanThatIsAttendedToShows(int queries) {
        int keys = 80;
        RandomInputs clean = RandomInputs.random(1, 1, 1, queries, keys, 4, 4);
        float[] key = clean.key().toFloatArray();
        float[] value = clean.value().toFloatArray();
        float[] query = clean.query().toFloatArray();
        // Row 0 sees keys up to 77; the later rows see the rest too.
        AttentionBuilder causal = Attention.builder().causalOffsets(77).logSumExp(true);
        float[] expected = clean.attend(engine, causal).output().toFloatArray();

        key[78 * 4] = Float.NaN;
        AttentionResult badKey =
                new RandomInputs(clean.query(), Tensor.of(key, 1, 1, keys, 4), clean.value()).attend(engine, causal);
        assertThat(badKey.output().slice(2, 0, 1).toFloatArray()).isEqualTo(Arrays.copyOf(expected, 4));
        for (float element : badKey.output().slice(2, 1, queries).toFloatArray()) {
            assertThat(element).isNaN();
        }
        assertThat(badKey.logSumExp().get(0, 0, 1)).isNaN();

        value[78 * 4 + 2] = Float.NaN;
        AttentionResult badValue =
                new RandomInputs(clean.query(), clean.key(), Tensor.of(value, 1, 1, keys, 4)).attend(engine, causal);
        assertThat(badValue.output().slice(2, 0, 1).toFloatArray()).isEqualTo(Arrays.copyOf(expected, 4));
        for (int row = 1; row < queries; row++) {
            assertThat(badValue.output().get(0, 0, row, 2)).isNaN();
            assertThat(badValue.output().get(0, 0, row, 1)).isNotNaN();
        }

        query[2 * 4 + 1] = Float.NaN;
        AttentionResult badQuery = new RandomInputs(Tensor.of(query, 1, 1, queries, 4), clean.key(), clean.value())
                .attend(engine, causal.weights(true));
        assertThat(badQuery.output().get(0, 0, 2, 0)).isNaN();
        assertThat(badQuery.weights().get(0, 0, 2, 0)).isNaN();
        assertThat(badQuery.output().slice(2, 0, 2).toFloatArray()).isEqualTo(Arrays.copyOf(expected, 8));
    }

    @Test
    void infiniteScoresGiveNanAsInTheOracle() {
        RandomInputs inputs = RandomInputs.random(1, 1, 1, 40, 8, 4, 4);
        AttentionResult result =
                inputs.attend(engine, Attention.builder().bias(Tensor.of(new float[] {Float.POSITIVE_INFINITY}, 1)));
        for (float element : result.output().toFloatArray()) {
            assertThat(element).isNaN();
        }
    }
}
