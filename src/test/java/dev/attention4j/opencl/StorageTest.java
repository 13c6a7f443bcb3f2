package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Float16;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.nio.ShortBuffer;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Kernels read and write 16-bit storage at every address and convert every pattern of bits, in vectors of each width. */
class StorageTest {
    private static final List<DType> DTYPES = List.of(DType.FLOAT16, DType.BFLOAT16);

    private static final int PATTERNS = 1 << 16;

    /** Patterns of an attention problem: heads of this many value elements. Tiles of wider ones build for minutes. */
    private static final int WIDTH = 64;

    /** A device as if its vectors were of each width, with the plans that are built for it. */
    static Stream<Arguments> plans() {
        List<ClDevice> quick = Devices.find().devices().stream()
                .filter(device -> !device.quirks().has(Quirk.EMULATOR))
                .toList();
        assertThat(quick).as("devices but emulators").isNotEmpty();
        return quick.stream().flatMap(device -> Stream.of(4, 8, 16)
                .flatMap(width -> plans(width).map(plan -> Arguments.of(device, width, plan))));
    }

    /** Tiles and the textbook's steps always read vectors of 4, or elements. */
    private static Stream<String> plans(int width) {
        return width == 4 ? Stream.of("rows", "decode", "tiles", "staged") : Stream.of("rows", "decode");
    }

    private static OpenClEngine open(ClDevice device, int width, String plan) {
        return new OpenClEngine(
                OpenClProvider.info(device),
                device.pretending(width),
                TestEngines.options().withPlan(plan));
    }

    /** Rows whose addresses are multiples of 2 and of no more: views from an odd element on, and odd widths. */
    @ParameterizedTest
    @MethodSource("plans")
    void anyAddressIsReadAndWritten(ClDevice device, int width, String plan) {
        try (OpenClEngine engine = open(device, width, plan)) {
            for (DType dtype : DTYPES) {
                for (int queries : new int[] {3, 18}) {
                    oddRows(engine, dtype, queries, plan + " " + dtype + ", vectors of " + width);
                }
            }
        }
    }

    private static void oddRows(OpenClEngine engine, DType dtype, int queries, String what) {
        Attention attention = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .logSumExp(true)
                .build();
        Tensor query = odd(1, dtype, 2, queries, 19);
        Tensor key = odd(2, dtype, 1, 1030, 19);
        Tensor value = odd(3, dtype, 1, 1030, 37);
        YardstickCheck.check(engine, query, key, value, attention, what);
    }

    /** A view without the first element of each row. */
    private static Tensor odd(long seed, DType dtype, long heads, long rows, long width) {
        return Tensor.random(seed, 1, heads, rows, width + 2).to(dtype).slice(3, 1, width + 1);
    }

    /** A single key has weight 1: each output is its value. */
    @ParameterizedTest
    @MethodSource("plans")
    void everyPatternIsReadAndWritten(ClDevice device, int width, String plan) {
        try (OpenClEngine engine = open(device, width, plan)) {
            for (DType dtype : DTYPES) {
                short[] values = new short[PATTERNS];
                for (int n = 0; n < PATTERNS; n++) {
                    values[n] = (short) n;
                }
                short[] got = means(engine, dtype, 1, values);
                for (int n = 0; n < PATTERNS; n++) {
                    // Of -0, 0 + -0 may have been made; of a bfloat16 that is subnormal, 0, as of a float.
                    float want = toFloat(dtype, values[n]);
                    if (dtype == DType.BFLOAT16 && Math.abs(want) < Float.MIN_NORMAL) {
                        assertThat(Math.abs(toFloat(dtype, got[n]))).isLessThan(Float.MIN_NORMAL);
                    } else if (want == 0) {
                        assertThat(toFloat(dtype, got[n])).isZero();
                    } else if (Float.isNaN(want)) {
                        assertThat(toFloat(dtype, got[n])).isNaN();
                    } else {
                        assertThat(got[n]).as("%s %x", dtype, n).isEqualTo(values[n]);
                    }
                }
            }
        }
    }

    /**
     * Means of four equal weights a quarter, half and three quarters of the way from a number to the next: to the
     * nearer of them, and from the middle to the even one.
     */
    @ParameterizedTest
    @MethodSource("plans")
    void outputsAreRoundedToTheNearestAndTiesToEven(ClDevice device, int width, String plan) {
        try (OpenClEngine engine = open(device, width, plan)) {
            for (DType dtype : DTYPES) {
                int[] keysOfNext = {1, 2, 3};
                for (int next : keysOfNext) {
                    short[] values = new short[4 * PATTERNS];
                    for (int n = 0; n < PATTERNS; n++) {
                        for (int key = 0; key < 4; key++) {
                            int at = (n / WIDTH * 4 + key) * WIDTH + n % WIDTH;
                            values[at] = isTested(dtype, n) ? (short) (key < next ? n + 1 : n) : 0;
                        }
                    }
                    short[] got = means(engine, dtype, 4, values);
                    for (int n = 0; n < PATTERNS; n++) {
                        if (isTested(dtype, n)) {
                            int want = next == 1 ? n : next == 3 ? n + 1 : n + (n & 1);
                            assertThat(got[n] & 0xFFFF)
                                    .as("%s %x, %d quarters on", dtype, n, next)
                                    .isEqualTo(want);
                        }
                    }
                }
            }
        }
    }

    /** Whether a pattern and the next are numbers whose sums of four no float loses: of bfloat16 not the smallest and largest. */
    private static boolean isTested(DType dtype, int pattern) {
        int magnitude = pattern & 0x7FFF;
        return dtype == DType.FLOAT16 ? magnitude > 0 && magnitude < 0x7BFF : magnitude >= 0x0200 && magnitude < 0x7E00;
    }

    /** Of WIDTH neighbouring elements of each head: the mean of all keys' values, as queries of zeros give it. */
    private static short[] means(OpenClEngine engine, DType dtype, int keys, short[] values) {
        int heads = PATTERNS / WIDTH;
        Tensor query = Tensor.zeros(dtype, 1, heads, 1, 4);
        Tensor key = Tensor.zeros(dtype, 1, heads, keys, 4);
        Tensor value = Tensor.zeros(dtype, 1, heads, keys, WIDTH);
        value.bytes().asShortBuffer().put(values);
        short[] got = new short[PATTERNS];
        try (AttentionResult result = engine.attend(query, key, value)) {
            ShortBuffer output = result.output().bytes().asShortBuffer();
            output.get(got);
        }
        return got;
    }

    private static float toFloat(DType dtype, short bits) {
        return dtype == DType.FLOAT16 ? Float16.toFloat(bits) : Float16.bfloatToFloat(bits);
    }
}
