package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The tables of each scaling against the formulas of its paper, written here anew, and numbers of models that are published. */
class RotaryEmbeddingTest {
    private static final int POSITIONS = 3000;

    /** Half a unit in the last place of a float below 2, and what the angle's own rounding adds. */
    private static final Offset<Double> ROUNDED = within(1.3e-7);

    /**
     * An embedding and what it must be.
     *
     * @param frequency of a pair
     * @param factor of all cosines and sines
     */
    private record Case(String name, RotaryEmbedding rotary, IntToDoubleFunction frequency, double factor) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() {
        double[] shorter = {1, 1.05, 1.1, 1.5, 2, 3, 4, 5};
        double[] longer = {1, 2, 4, 8, 16, 32, 48, 64};
        return Stream.of(
                new Case("plain", rotary(64, b -> b), i -> wave(1e4, i, 64), 1),
                new Case("another base", rotary(20, b -> b.base(5e5)), i -> wave(5e5, i, 20), 1),
                new Case("of one pair", rotary(2, b -> b), i -> 1, 1),
                new Case("linear", rotary(64, b -> b.linear(2.5)), i -> wave(1e4, i, 64) / 2.5, 1),
                new Case("NTK", rotary(64, b -> b.base(1e5).ntk(8)), i -> wave(1e5 * Math.pow(8, 64.0 / 62), i, 64), 1),
                new Case(
                        "YaRN",
                        rotary(128, b -> b.base(1e6).yarn(4, 32768)),
                        i -> ramped(wave(1e6, i, 128), 4, (i - 23) / 17.0),
                        0.1 * Math.log(4) + 1),
                new Case(
                        "YaRN with bounds that are no whole pairs",
                        rotary(64, b -> b.base(150_000).yarn(32, 4096, 32, 1, 1.25, false)),
                        i -> ramped(
                                wave(150_000, i, 64),
                                32,
                                (i - 8.092779115512402) / (17.39802450158856 - 8.092779115512402)),
                        1.25),
                new Case(
                        "YaRN with no pair that turns seldom",
                        rotary(16, b -> b.yarn(2, 1, 2, 1, 1, true)),
                        i -> i == 0 ? 1 : wave(1e4, i, 16) / 2,
                        1),
                new Case(
                        "Llama 3.1",
                        rotary(128, b -> b.base(5e5).llama3(8, 1, 4, 8192)),
                        RotaryEmbeddingTest::llama,
                        1),
                new Case(
                        "LongRoPE, short",
                        rotary(16, b -> b.longRope(shorter, longer, 32, 4096)),
                        i -> wave(1e4, i, 16) / shorter[i],
                        1.1902380714238083),
                new Case(
                        "LongRoPE, long",
                        rotary(16, b -> b.longRope(shorter, longer, 32, 2048)),
                        i -> wave(1e4, i, 16) / longer[i],
                        Math.sqrt(16.0 / 11)),
                new Case(
                        "LongRoPE of a model's own length",
                        rotary(16, b -> b.longRope(shorter, longer, 1, 4096)),
                        i -> wave(1e4, i, 16) / shorter[i],
                        1));
    }

    private interface Options {
        RotaryEmbeddingBuilder on(RotaryEmbeddingBuilder builder);
    }

    private static RotaryEmbedding rotary(int width, Options options) {
        return options.on(RotaryEmbedding.builder(width, POSITIONS)).build();
    }

    private static double wave(double base, int pair, int width) {
        return 1 / Math.exp(Math.log(base) * 2 * pair / width);
    }

    /** Between a frequency and the same divided. */
    private static double ramped(double frequency, double divisor, double ramp) {
        double divided = Math.min(1, Math.max(0, ramp));
        return frequency * (1 - divided) + frequency / divisor * divided;
    }

    /** By wavelengths, as the model's own code has it. */
    private static double llama(int pair) {
        double frequency = wave(5e5, pair, 128);
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < 8192 / 4.0) {
            return frequency;
        }
        if (wavelength > 8192) {
            return frequency / 8;
        }
        double smooth = (8192 / wavelength - 1) / 3;
        return (1 - smooth) * frequency / 8 + smooth * frequency;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void tablesAreTheFormulas(Case tested) {
        RotaryEmbedding rotary = tested.rotary;
        assertThat(rotary.cosines().shape()).containsExactly(POSITIONS, rotary.rotaryDim() / 2);
        for (int position : new int[] {0, 1, 2, 77, 1023, POSITIONS - 1}) {
            for (int pair = 0; pair < rotary.rotaryDim() / 2; pair++) {
                double angle = position * tested.frequency.applyAsDouble(pair);
                String where = tested + " position " + position + " pair " + pair;
                assertThat(rotary.cosines().get(position, pair))
                        .as(where)
                        .isCloseTo(tested.factor * Math.cos(angle), ROUNDED);
                assertThat(rotary.sines().get(position, pair))
                        .as(where)
                        .isCloseTo(tested.factor * Math.sin(angle), ROUNDED);
            }
        }
    }

    /** The inverse frequencies that Llama 3.1 (8B), Qwen 2.5 with YaRN, and gpt-oss run with. */
    @Test
    void publishedModelsHaveTheirFrequencies() {
        RotaryEmbedding llama = rotary(128, b -> b.base(5e5).llama3(8, 1, 4, 8192));
        frequency(llama, 1, 0.81461723);
        frequency(llama, 28, 3.21144599e-3);
        frequency(llama, 29, 2.16657076e-3);
        frequency(llama, 32, 5.24846161e-4);
        frequency(llama, 34, 1.78507813e-4);
        frequency(llama, 35, 9.55621235e-5);
        frequency(llama, 63, 3.06892599e-7);
        RotaryEmbedding qwen = rotary(128, b -> b.base(1e6).yarn(4, 32768));
        frequency(qwen, 23, 6.97830585e-3);
        frequency(qwen, 24, 5.37532149e-3);
        frequency(qwen, 39, 6.49039432e-5);
        frequency(qwen, 63, 3.10234440e-7);
        assertThat(qwen.cosines().get(0, 5)).isEqualTo((float) 1.138629436111989);
        RotaryEmbedding oss = rotary(64, b -> b.base(150_000).yarn(32, 4096, 32, 1, 0.1 * Math.log(32) + 1, false));
        frequency(oss, 8, 5.08132748e-2);
        frequency(oss, 9, 3.17056962e-2);
        frequency(oss, 17, 1.29318701e-4);
        frequency(oss, 18, 3.83088124e-5);
        assertThat(oss.cosines().get(0, 31)).isEqualTo((float) 1.3465735902799727);
    }

    /** The angle of position 1. */
    private static void frequency(RotaryEmbedding rotary, int pair, double expected) {
        double angle = Math.atan2(rotary.sines().get(1, pair), rotary.cosines().get(1, pair));
        assertThat(angle).as(rotary + " pair " + pair).isCloseTo(expected, within(1.5e-7 * expected));
    }

    /** NTK-aware scaling divides the lowest frequency by the factor, and keeps the highest. */
    @Test
    void ntkStretchesTheLowestFrequencyByItsFactor() {
        RotaryEmbedding plain = rotary(128, b -> b);
        RotaryEmbedding scaled = rotary(128, b -> b.ntk(8));
        assertThat(scaled.sines().get(1, 0)).isEqualTo(plain.sines().get(1, 0));
        assertThat(8 * scaled.sines().get(1, 63)).isCloseTo(plain.sines().get(1, 63), within(1e-10));
    }

    @Test
    void tablesOfTheCallersAreTakenAsTheyAre() {
        Tensor cosines = Tensor.random(1, 5, 3);
        Tensor sines = Tensor.random(2, 5, 3);
        RotaryEmbedding rotary = RotaryEmbedding.of(cosines, sines, true);
        assertThat(rotary.cosines()).isSameAs(cosines);
        assertThat(rotary.sines()).isSameAs(sines);
        assertThat(rotary.rotaryDim()).isEqualTo(6);
        assertThat(rotary.positions()).isEqualTo(5);
        assertThat(rotary.isInterleaved()).isTrue();
        Tensor halves = cosines.to(DType.FLOAT16);
        assertThat(RotaryEmbedding.of(halves, halves, false).sines().toFloatArray())
                .isEqualTo(halves.toFloatArray());
    }

    @Test
    void whatDoesNotFitIsRefusedByName() {
        RotaryEmbeddingBuilder builder = RotaryEmbedding.builder(8, 10);
        refused(() -> RotaryEmbedding.builder(7, 10), "rotaryDim: 7, must be even and 2 or more");
        refused(() -> RotaryEmbedding.builder(0, 10), "rotaryDim: 0");
        refused(() -> RotaryEmbedding.builder(8, 0), "positions: 0, must be 1 or more");
        refused(() -> builder.base(1), "base: 1.0, must be finite and above 1");
        refused(() -> builder.base(Double.NaN), "base: NaN");
        refused(() -> builder.linear(0.5), "factor: 0.5, must be finite and 1 or more");
        refused(() -> builder.ntk(Double.POSITIVE_INFINITY), "factor: Infinity");
        refused(() -> RotaryEmbedding.builder(2, 10).ntk(2), "rotaryDim: 2, must be 4 or more for NTK-aware scaling");
        refused(() -> builder.yarn(2, 0), "trainedPositions: 0, must be 1 or more");
        refused(() -> builder.yarn(2, 10, 1, 1, 1, true), "betaFast: 1.0, betaSlow: 1.0, must be");
        refused(() -> builder.yarn(2, 10, 32, 0, 1, true), "betaFast: 32.0, betaSlow: 0.0, must be");
        refused(() -> builder.yarn(2, 10, 32, 1, 0, true), "attentionFactor: 0.0, must be finite and above 0");
        refused(() -> builder.llama3(8, 4, 4, 10), "highFrequencyFactor: 4.0, must be above lowFrequencyFactor, 4.0");
        refused(() -> builder.llama3(8, 0, 4, 10), "lowFrequencyFactor: 0.0");
        double[] four = {1, 1, 1, 1};
        refused(() -> builder.longRope(new double[3], four, 1, 10), "shortFactors: 3 numbers, must be 4, one for each");
        refused(() -> builder.longRope(four, new double[4], 1, 10), "longFactors: 0.0, must be finite and above 0");
        refused(() -> builder.longRope(four, four, 1, 1), "trainedPositions: 1, must be 2 or more");
        builder.linear(2);
        refused(() -> builder.ntk(2), "ntk: linear is set already, must be the only scaling");
        Tensor table = Tensor.random(1, 5, 3);
        refused(() -> RotaryEmbedding.of(table, table.slice(0, 0, 4), false), "sines: shape [4, 3], must be [5, 3]");
        refused(() -> RotaryEmbedding.of(table.reshape(15), table, false), "cosines: shape [15], must be [positions");
        refused(() -> RotaryEmbedding.of(table, table.to(DType.INT32), false), "sines: type INT32, must be");
        table.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> RotaryEmbedding.of(table, table, false))
                .withMessage("cosines: the tensor is closed, must be open");
    }

    private static void refused(Runnable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call::run).withMessageStartingWith(message);
    }
}
