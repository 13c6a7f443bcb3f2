package dev.attention4j.opencl.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link RotateHeads}, and the same in Java: every pair is turned by its position's angle, and nothing else changes. */
class RotateHeadsTest {
    private static final List<DType> TYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

    /** More than a work-group's run of rows, and widths that are no whole vectors. */
    private static final long[] SHAPE = {3, 2, 66, 45};

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    /**
     * What a turned element must be, by the formula in double precision.
     *
     * @param positions of each row of each batch row
     */
    private static double[] expected(Tensor heads, RotaryEmbedding rotary, int... positions) {
        double[] all = heads.toDoubleArray();
        int width = (int) heads.size(3);
        int rows = (int) heads.size(2);
        int pairs = rotary.rotaryDim() / 2;
        double[] cosines = rotary.cosines().toDoubleArray();
        double[] sines = rotary.sines().toDoubleArray();
        for (int row = 0; row < all.length / width; row++) {
            int batch = row / rows / (int) heads.size(1);
            int position = positions[batch * rows + row % rows];
            for (int pair = 0; pair < pairs; pair++) {
                int x = row * width + (rotary.isInterleaved() ? 2 * pair : pair);
                int y = rotary.isInterleaved() ? x + 1 : x + pairs;
                double cosine = cosines[position * pairs + pair];
                double sine = sines[position * pairs + pair];
                double turnedX = all[x] * cosine - all[y] * sine;
                all[y] = all[y] * cosine + all[x] * sine;
                all[x] = turnedX;
            }
        }
        return all;
    }

    private static int[] following(int rows, int... firsts) {
        return IntStream.of(firsts)
                .flatMap(first -> IntStream.range(first, first + rows))
                .toArray();
    }

    /** Three roundings of numbers below 8 in float32, and one to the type. */
    private static void check(Tensor turned, double[] expected, String what) {
        double unit = turned.dtype() == DType.FLOAT32 ? 0 : turned.dtype() == DType.FLOAT16 ? 0x1p-11 : 0x1p-8;
        double[] got = turned.toDoubleArray();
        for (int n = 0; n < got.length; n++) {
            assertThat(got[n]).as(what + " " + n).isCloseTo(expected[n], within(1e-6 + unit * Math.abs(expected[n])));
        }
    }

    private static RotaryEmbedding rotary(int width, boolean interleaved) {
        return RotaryEmbedding.builder(width, 200).interleaved(interleaved).build();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void everyTypeAndPairIsTheFormula(EngineInfo info) {
        int[] positions = {4, 0, 134};
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (DType type : TYPES) {
                Tensor heads = Tensor.random(1, SHAPE).to(type);
                for (int width : new int[] {2, 38, 44}) {
                    for (boolean interleaved : new boolean[] {false, true}) {
                        RotaryEmbedding rotary = rotary(width, interleaved);
                        Tensor turned = engine.rotate(heads, rotary, positions);
                        assertThat(turned.dtype()).isEqualTo(type);
                        check(
                                turned,
                                expected(heads, rotary, following(66, positions)),
                                engine + " " + type + " " + rotary);
                        assertThat(turned.toFloatArray())
                                .as("the same bits as in Java")
                                .isEqualTo(onHost(heads, rotary, positions));
                    }
                }
            }
        }
    }

    private static float[] onHost(Tensor heads, RotaryEmbedding rotary, int... positions) {
        try (AttentionEngine cpu = AttentionEngine.open("cpu")) {
            return cpu.rotate(heads, rotary, positions).toFloatArray();
        }
    }

    /** Rows by strides, on the host and on the device; tables there too; positions of each row; results where heads are. */
    @ParameterizedTest
    @MethodSource("engines")
    void viewsAndDeviceTensorsAndPositionsOfEachRow(EngineInfo info) {
        Tensor tokens = Tensor.random(3, 2, 7, 3, 24);
        Tensor heads = tokens.permute(0, 2, 1, 3).slice(2, 1, 6).slice(3, 2, 20);
        int[] positions = {9, 3, 3, 199, 0, 1, 2, 30, 4, 5};
        RotaryEmbedding rotary = rotary(12, false);
        double[] expected = expected(heads.contiguous(), rotary, positions);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor there = engine.upload(tokens);
                Tensor cosines = engine.upload(rotary.cosines());
                Tensor sines = engine.upload(rotary.sines())) {
            check(engine.rotate(heads, rotary, positions), expected, engine + " host");
            Tensor view = there.permute(0, 2, 1, 3).slice(2, 1, 6).slice(3, 2, 20);
            RotaryEmbedding tables = RotaryEmbedding.of(cosines, sines, false);
            try (Tensor turned = engine.rotate(view, tables, positions)) {
                assertThat(turned.isOnHost()).isEqualTo(there.isOnHost());
                check(turned, expected, engine + " there");
            }
            check(engine.rotate(heads, tables, positions), expected, engine + " tables there");
            assertThat(engine.rotate(heads.slice(2, 0, 0), rotary, 0, 5).shape())
                    .containsExactly(2, 3, 0, 18);
        }
    }

    /** A work-item of 64 such rows would need more iterations of loops than some drivers make. */
    @ParameterizedTest
    @MethodSource("engines")
    void wideRowsAreTurnedWhole(EngineInfo info) {
        Tensor heads = Tensor.random(1, 1, 1, 64, 4100);
        RotaryEmbedding rotary = RotaryEmbedding.builder(4098, 70).build();
        try (AttentionEngine engine = TestEngines.open(info)) {
            check(engine.rotate(heads, rotary, 6), expected(heads, rotary, following(64, 6)), engine.toString());
        }
    }

    /** The call gets the turned heads in the type that it asks for; its results are where the heads are. */
    @ParameterizedTest
    @MethodSource("engines")
    void aCallThatFollowsReadsTheTurnedHeads(EngineInfo info) {
        Tensor heads = Tensor.random(1, 1, 2, 1, 8);
        RotaryEmbedding rotary = rotary(8, true);
        int[] positions = {3};
        Tensor[] given = new Tensor[1];
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor there = engine.upload(heads)) {
            for (Tensor from : List.of(heads, there)) {
                try (AttentionResult result = engine.rotate(from, rotary, positions, DType.FLOAT16, turned -> {
                    given[0] = turned;
                    return engine.attend(turned, turned, turned);
                })) {
                    assertThat(result.output().dtype()).isEqualTo(DType.FLOAT16);
                    assertThat(result.output().isOnHost()).isEqualTo(from.isOnHost());
                    check(result.output(), expected(heads, rotary, 3), engine.toString());
                    assertThat(given[0].isClosed()).isTrue();
                }
            }
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.rotate(
                            heads,
                            rotary,
                            positions,
                            DType.FLOAT32,
                            turned -> engine.attend(turned, heads.slice(3, 0, 7), heads)))
                    .withMessageStartingWith("key: headDim 7, must be 8");
            check(engine.rotate(heads, rotary, 3), expected(heads, rotary, 3), "after it");
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatDoesNotFitIsRefusedByName(EngineInfo info) {
        Tensor heads = Tensor.random(1, 2, 1, 3, 8);
        RotaryEmbedding rotary = rotary(8, false);
        try (AttentionEngine engine = TestEngines.open(info)) {
            refused(
                    engine,
                    heads.slice(3, 0, 7),
                    rotary,
                    "heads: shape [2, 1, 3, 7], must be [batch, heads, rows",
                    0,
                    0);
            refused(engine, heads.reshape(6, 8), rotary, "heads: shape [6, 8]", 0, 0);
            refused(engine, heads.to(DType.INT32), rotary, "heads: type INT32, must be", 0, 0);
            refused(engine, heads, rotary, "positions: 3 numbers, must be 2, one for each batch row, or 6", 0, 0, 0);
            refused(engine, heads, rotary, "positions: -1 at index 1", 0, -1);
            refused(
                    engine,
                    heads,
                    rotary,
                    "positions: 198 at index 0 and 2 more from there, must be within the rotary embedding's 200",
                    198,
                    0);
            refused(engine, heads, rotary, "positions: 200 at index 5, must be within", 0, 1, 2, 3, 4, 200);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.rotate(heads, rotary, new int[2], DType.INT8, turned -> null))
                    .withMessageStartingWith("turnedType: type INT8, must be");
            Tensor closed = Tensor.random(1, 200, 4);
            RotaryEmbedding tables = RotaryEmbedding.of(closed, closed, false);
            closed.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> engine.rotate(heads, tables, 0, 0))
                    .withMessage("rotary: the tensor is closed, must be open");
            assertThatExceptionOfType(NullPointerException.class)
                    .isThrownBy(() -> engine.rotate(heads, null, 0, 0))
                    .withMessage("rotary");
        }
    }

    private static void refused(
            AttentionEngine engine, Tensor heads, RotaryEmbedding rotary, String message, int... positions) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> engine.rotate(heads, rotary, positions))
                .withMessageStartingWith(message);
    }

    /** Whose angles are not those of the tables' first rows. */
    @ParameterizedTest
    @MethodSource("engines")
    void positionsFarOutReadTheirOwnAngles(EngineInfo info) {
        Tensor heads = Tensor.random(1, 2, 1, 2, 64);
        RotaryEmbedding rotary = RotaryEmbedding.builder(64, 40_000).build();
        try (AttentionEngine engine = TestEngines.open(info)) {
            check(
                    engine.rotate(heads, rotary, 39_998, 39_000),
                    expected(heads, rotary, 39_998, 39_999, 39_000, 39_001),
                    engine.toString());
        }
    }
}
