package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.io.Safetensors;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Small integers with scales: the format's formulas, views, and the same bits from every engine. */
class QuantizationTest {
    private static final float[] EXTREMES = {
        0f,
        -0f,
        1f,
        -1f,
        127f,
        -128f,
        65504f,
        1e9f,
        3e38f,
        Float.MIN_VALUE,
        1e-38f,
        2e-7f,
        3e-7f,
        4e-6f,
        7.6e-6f,
        6e-5f,
        0.5f,
        2.5f
    };

    @TempDir
    Path folder;

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    /** Groups of random numbers, ties, powers of two, tiny, huge and not finite ones; 1000 of random sizes. */
    private static Tensor groups(int width) {
        List<float[]> rows = new ArrayList<>();
        Random random = new Random(5);
        for (float extreme : EXTREMES) {
            float[] row = new float[width];
            for (int n = 0; n < width; n++) {
                row[n] = n == width / 2 ? extreme : extreme * (random.nextFloat() - 0.5f);
            }
            rows.add(row);
            float[] ties = new float[width];
            for (int n = 0; n < width; n++) {
                ties[n] = n == 0 ? extreme * 127 : extreme * (n - 0.5f) * (n % 2 == 0 ? 1 : -1);
            }
            rows.add(ties);
        }
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] row = new float[width];
            Arrays.fill(row, 3);
            row[width - 1] = bad;
            rows.add(row);
        }
        while (rows.size() < 1000) {
            float size = Math.scalb(1 + random.nextFloat(), random.nextInt(60) - 36);
            float[] row = new float[width];
            for (int n = 0; n < width; n++) {
                row[n] = (float) random.nextGaussian() * size;
            }
            rows.add(row);
        }
        float[] all = new float[rows.size() * width];
        for (int row = 0; row < rows.size(); row++) {
            System.arraycopy(rows.get(row), 0, all, row * width, width);
        }
        return Tensor.of(all, 1, 1, rows.size(), width);
    }

    /** The format by its definition, in exact decimals where a float would round once too often. */
    private static float[] byDefinition(DType dtype, float[] row) {
        float[] numbers = new float[row.length];
        for (int first = 0; first < row.length; first += 32) {
            float[] group = Arrays.copyOfRange(row, first, Math.min(row.length, first + 32));
            float extreme = 0;
            boolean finite = true;
            for (float number : group) {
                finite &= Float.isFinite(number);
                extreme = Math.abs(number) > Math.abs(extreme) ? number : extreme;
            }
            float d = dtype == DType.Q8_0 ? Math.abs(extreme) / 127 : extreme / -8;
            float id = d == 0 ? 0 : 1 / d;
            float scale = Float16.toFloat(Float16.fromFloat(d));
            for (int n = 0; n < group.length; n++) {
                float exact = group[n] * id;
                int q = dtype == DType.Q8_0
                        ? new BigDecimal(Float.isFinite(exact) ? exact : 0)
                                .setScale(0, RoundingMode.HALF_UP)
                                .intValue()
                        : Math.min(15, (int) (exact + 8.5f)) - 8;
                numbers[first + n] = !finite ? Float.NaN : scale == 0 ? 0 : q * scale;
            }
        }
        return numbers;
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0"})
    void numbersAreTheFormats(DType dtype) {
        for (int width : new int[] {32, 64, 40, 7}) {
            Tensor from = groups(width);
            Tensor stored = from.to(dtype);
            float[] got = stored.toFloatArray();
            float[] all = from.toFloatArray();
            for (int row = 0; row < from.size(2); row++) {
                float[] expected = byDefinition(dtype, Arrays.copyOfRange(all, row * width, (row + 1) * width));
                for (int n = 0; n < width; n++) {
                    // Zeros may have any sign.
                    assertThat(Float.valueOf(got[row * width + n] + 0f))
                            .as(dtype + ", row " + row + ", element " + n + " of " + all[row * width + n])
                            .isEqualTo(Float.valueOf(expected[n] + 0f));
                }
            }
            assertThat(stored.get(0, 0, 700, width - 1)).isEqualTo(got[701 * width - 1]);
        }
    }

    @Test
    void aGroupOfEachLiesAsTheFormatSays() {
        float[] row = new float[64];
        for (int n = 0; n < 64; n++) {
            row[n] = n < 32 ? n - 16 : 2 * (n - 48);
        }
        ByteBuffer eight = Tensor.of(row, 1, 64).to(DType.Q8_0).bytes();
        assertThat(eight.capacity()).isEqualTo(68);
        assertThat(eight.get(0)).isEqualTo((byte) -127);
        assertThat(eight.get(31)).isEqualTo((byte) 119); // 15 * 127 / 16 = 119.06
        assertThat(Float16.toFloat(eight.getShort(64))).isCloseTo(16 / 127f, Percentage.withPercentage(0.05));
        ByteBuffer four = Tensor.of(row, 1, 64).to(DType.Q4_0).bytes();
        assertThat(four.capacity()).isEqualTo(36);
        assertThat(four.get(0) & 15).isZero(); // -16 / 2 + 8
        assertThat(four.get(0) >> 4 & 15).isEqualTo(8); // element 16 is 0
        assertThat(four.get(15) >> 4 & 15).isEqualTo(15); // element 31 is 15
        assertThat(Float16.toFloat(four.getShort(32))).isEqualTo(2);
        assertThat(Float16.toFloat(four.getShort(34))).isEqualTo(4);
    }

    /** An engine writes the same bytes into a cache as Tensor.to does, from each type and width. */
    @ParameterizedTest
    @MethodSource("engines")
    void enginesRoundAsTensorsDo(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            boolean emulator = info.kind() == EngineInfo.Kind.EMULATOR;
            for (int width : emulator ? new int[] {40} : new int[] {32, 40}) {
                Tensor from = groups(width);
                int rows = (int) from.size(2);
                for (DType source :
                        emulator ? List.of(DType.FLOAT32) : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                    Tensor given = from.to(source);
                    Tensor eight = engine.zeros(DType.Q8_0, 1, 1, rows, width);
                    Tensor four = engine.zeros(DType.Q4_0, 1, 1, rows, width);
                    engine.scatter(List.of(eight, four), List.of(given, given), new int[] {0}, new int[] {rows});
                    for (Tensor target : List.of(eight, four)) {
                        byte[] got = bytes(engine.download(target));
                        byte[] expected = bytes(given.to(target.dtype()));
                        int at = Arrays.mismatch(got, expected);
                        assertThat(at)
                                .as(source + " to " + target.dtype() + " of width " + width + ": byte " + at + " of "
                                        + got.length)
                                .isEqualTo(-1);
                    }
                    // Rows of the same type move as they are.
                    Tensor again = engine.zeros(DType.Q4_0, 1, 1, rows, width);
                    engine.scatter(List.of(again), List.of(four), new int[] {0}, new int[] {rows});
                    assertThat(bytes(engine.download(again))).isEqualTo(bytes(engine.download(four)));
                    eight.close();
                    four.close();
                    again.close();
                }
            }
        }
    }

    private static byte[] bytes(Tensor tensor) {
        byte[] all = new byte[(int) tensor.byteSize()];
        tensor.bytes().get(all);
        return all;
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0"})
    void viewsOfLeadingAxesKeepTheirNumbers(DType dtype) {
        Tensor floats = Tensor.random(1, 3, 2, 5, 40);
        Tensor stored = floats.to(dtype);
        Tensor wide = stored.to(DType.FLOAT32);
        assertThat(stored.byteSize()).isEqualTo(30L * (dtype == DType.Q8_0 ? 68 : 36));
        assertThat(stored.strides()).containsExactly(640, 320, 64, 1);
        Tensor view = stored.slice(0, 1, 3).permute(1, 0, 2, 3).slice(2, 1, 4);
        Tensor expected = wide.slice(0, 1, 3).permute(1, 0, 2, 3).slice(2, 1, 4);
        assertThat(view.toFloatArray()).containsExactly(expected.toFloatArray());
        assertThat(view.contiguous().toFloatArray()).containsExactly(expected.toFloatArray());
        assertThat(view.get(1, 1, 2, 39)).isEqualTo(expected.get(1, 1, 2, 39));
        assertThat(stored.slice(0, 0, 1).broadcast(4, 2, 5, 40).get(3, 1, 4, 7)).isEqualTo(wide.get(0, 1, 4, 7));
        assertThat(stored.reshape(30, 40).toFloatArray()).containsExactly(wide.toFloatArray());
        assertThat(Tensor.zeros(dtype, 2, 40).toFloatArray()).containsOnly(0);
        assertThat(Tensor.zeros(dtype, 2, 0, 40).toFloatArray()).isEmpty();
        assertThat(stored.toString()).contains(dtype.name());
        // Scales of other rows lie in between.
        assertThat(stored.slice(0, 0, 1).isContiguous()).isFalse();
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0"})
    void whatASharedScaleForbidsIsRefused(DType dtype) {
        Tensor stored = Tensor.random(1, 2, 3, 40).to(dtype);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> stored.slice(2, 0, 32))
                .withMessageContaining("last axis");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> stored.permute(0, 2, 1))
                .withMessageContaining("last axis");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> stored.reshape(2, 120))
                .withMessageContaining("last axis");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.zeros(dtype, 2, 1).broadcast(2, 8))
                .withMessageContaining("last axis");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.zeros(dtype))
                .withMessageContaining("last one");
        assertThatIllegalStateException().isThrownBy(stored::floats).withMessageContaining("FLOAT32");
        assertThatIllegalStateException()
                .isThrownBy(() -> stored.slice(0, 0, 1).bytes())
                .withMessageContaining("contiguous()");
        assertThatThrownBy(dtype::bytes)
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining(dtype.name());
        Tensor query = Tensor.random(2, 1, 1, 1, 40);
        Tensor key = Tensor.random(3, 1, 1, 4, 40);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new StorageTypes(dtype, dtype, dtype))
                .withMessageContaining("query: type " + dtype);
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.attend(query.to(dtype), key, key, Attention.DEFAULT))
                    .withMessageContaining("query: type " + dtype);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.scatter(
                            List.of(Tensor.zeros(DType.FLOAT32, 1, 1, 4, 40)),
                            List.of(key.to(dtype)),
                            new int[] {0},
                            new int[] {4}))
                    .withMessageContaining("sources: type " + dtype);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Safetensors.write(folder.resolve("keys"), Map.of("keys", stored), Map.of()))
                .withMessageContaining(dtype.name());
    }

    /** Every plan of every engine reads keys and values of either type, at widths that end within a group. */
    @ParameterizedTest
    @MethodSource("engines")
    void everyPlanReadsThem(EngineInfo info) {
        boolean emulator = info.kind() == EngineInfo.Kind.EMULATOR;
        for (EnginePlan plan : EnginePlan.of(List.of(info))) {
            try (AttentionEngine engine = plan.open()) {
                if (emulator) {
                    check(plan, engine, 2, new int[] {40, 20}, DType.Q8_0, DType.Q4_0);
                    continue;
                }
                // A pair of types is a build; tiles build for each 32 values, and for seconds more for each.
                boolean tiles = plan.plan().equals("tiles");
                for (int queries : new int[] {1, 3, 70}) {
                    check(plan, engine, queries, new int[] {40, tiles ? 40 : 72}, DType.Q8_0, DType.Q4_0);
                    check(plan, engine, queries, new int[] {128, tiles ? 64 : 128}, DType.Q8_0, DType.Q4_0);
                    check(plan, engine, queries, new int[] {64, 33}, DType.Q4_0, DType.Q8_0);
                    check(plan, engine, queries, new int[] {7, tiles ? 20 : 100}, DType.FLOAT16, DType.Q8_0);
                }
            }
        }
    }

    private static void check(
            EnginePlan plan, AttentionEngine engine, int queries, int[] width, DType keys, DType values) {
        Tensor query = Tensor.random(7, 2, 4, queries, width[0]);
        Tensor key = Tensor.random(8, 2, 2, 45, width[0]).to(keys);
        Tensor value = Tensor.random(9, 2, 2, 45, width[1]).to(values);
        // Key 44 is masked and has no number.
        ByteBuffer scales = value.memory().toHost();
        scales.putShort((int) value.scalesOffset() + Short.BYTES * 44 * ((width[1] + 31) / 32), (short) 0x7E00);
        Attention attention =
                Attention.builder().keyLengths(44, 30).logSumExp(true).build();
        String where =
                plan + ", queries " + queries + ", widths " + Arrays.toString(width) + ", " + keys + " and " + values;
        Tensor plainKey = key.to(DType.FLOAT32);
        Tensor plainValue = value.to(DType.FLOAT32);
        try (AttentionResult got = engine.attend(query, key, value, attention)) {
            assertThat(Yardstick.of(query, plainKey, plainValue, attention).measure(got, attention))
                    .as(where)
                    .allMatch(Deviation::isAllowed);
        }
    }
}
