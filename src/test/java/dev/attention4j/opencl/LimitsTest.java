package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** An engine takes no more of its device than it may, and says so where that is too little. */
class LimitsTest {
    private final Tensor query = Tensor.random(1, 2, 4, 200, 16);
    private final Tensor key = Tensor.random(2, 2, 2, 64, 16);
    private final Tensor value = Tensor.random(3, 2, 2, 64, 16);
    private final Attention attention = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .keyLengths(64, 40)
            .logSumExp(true)
            .build();

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static OpenClEngine open(EngineInfo info, String plan, long bytes) {
        return (OpenClEngine) AttentionEngine.open(
                info.id(), TestEngines.options().withPlan(plan).withMaxDeviceBytes(bytes));
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsLargerThanTheLimitIsComputedInSlices(EngineInfo info) {
        try (OpenClEngine free = open(info, "rows", 0);
                AttentionResult expected = free.attend(query, key, value, attention)) {
            int slices = 0;
            // Two batch rows, one, a group of heads, a head, and some queries of it.
            for (long limit : new long[] {400_000, 160_000, 80_000, 45_000, 25_000}) {
                List<ClEvent> launches = new ArrayList<>();
                try (OpenClEngine engine = open(info, "rows", limit)) {
                    engine.profileInto(launches);
                    AttentionResult result = engine.attend(query, key, value, attention);
                    launches.forEach(ClEvent::close);
                    assertThat(launches).as("within " + limit + " bytes").hasSizeGreaterThan(slices);
                    slices = launches.size();
                    assertThat(engine.mostDeviceBytes()).isLessThanOrEqualTo(limit);
                    assertThat(result.output().bytes())
                            .as("within " + limit + " bytes")
                            .isEqualTo(expected.output().bytes());
                    assertThat(result.logSumExp().bytes())
                            .isEqualTo(expected.logSumExp().bytes());
                    result.close();
                }
            }
            assertThat(slices).isGreaterThan(8);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void keysOnTheDeviceStayThereAndCount(EngineInfo info) {
        try (OpenClEngine free = open(info, "rows", 0);
                AttentionResult expected = free.attend(query, key, value, attention);
                OpenClEngine engine = open(info, "rows", 2 * key.byteSize() + 20_000);
                Tensor keyThere = engine.upload(key);
                Tensor valueThere = engine.upload(value);
                AttentionResult result = engine.attend(query, keyThere, valueThere, attention)) {
            assertThat(result.output().bytes()).isEqualTo(expected.output().bytes());
            assertThat(engine.mostDeviceBytes()).isLessThanOrEqualTo(2 * key.byteSize() + 20_000);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whereNotEvenTheSmallestSliceFitsTheErrorSaysHowMuchIsNeededAndHowMuchThereIs(EngineInfo info) {
        try (OpenClEngine engine = open(info, "rows", 7_000)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.attend(query, key, value, attention))
                    .withMessageMatching("attention of \\d+ queries of 1 head, with 64 keys and values, needs "
                            + "\\d+ bytes of device memory \\(output \\d+, log-sum-exp \\d+, query \\d+, key \\d+, value \\d+, "
                            + "key ranges \\d+\\), but of the 7000 bytes that this engine may take of .* 7000 are free, "
                            + "at most 7000 for one buffer");
            assertThat(engine.context().pool().bytesInUse()).isZero();
            // What fits is still computed.
            Tensor small = Tensor.random(4, 1, 1, 8, 16);
            engine.attend(small, small, small).close();
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsToStayOnTheDeviceMustFit(EngineInfo info) {
        Tensor other = Tensor.random(1, 2, 4, 50, 16);
        try (OpenClEngine engine = open(info, "rows", 40_000);
                Tensor there = engine.upload(key)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.upload(other))
                    .withMessageContaining("a buffer of " + other.byteSize() + " bytes is needed")
                    .withMessageContaining("of the 40000 bytes that this engine may take of " + info.name())
                    .withMessageContaining(engine.context().pool().bytesInUse() + " are in use; close results");
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.upload(Tensor.random(5, 1, 1, 10_001)))
                    .withMessageContaining("a buffer of 40004 bytes is needed")
                    .withMessageContaining("at most 40000 bytes at once");
            assertThat(there.isClosed()).isFalse();
        }
    }

    static List<EnginePlan> plans() {
        // The plan host takes no memory of the device.
        return EnginePlan.of(TestEngines.quickOpenCl()).stream()
                .filter(enginePlan -> !enginePlan.plan().equals(HostPlan.NAME))
                .toList();
    }

    /** One query, for which plans split the keys, and more than a tile of them. */
    @ParameterizedTest
    @MethodSource("plans")
    void otherTensorsOnTheDeviceChangeNoBit(EnginePlan enginePlan) {
        long limit = 2 << 20;
        for (int queries : new int[] {1, 70}) {
            Tensor few = Tensor.random(1, 2, 4, queries, 16);
            Tensor keys = Tensor.random(2, 2, 2, 2051, 16);
            Tensor values = Tensor.random(3, 2, 2, 2051, 24);
            Attention window = Attention.builder()
                    .window(1300, 0)
                    .align(Alignment.BOTTOM_RIGHT)
                    .logSumExp(true)
                    .build();
            try (AttentionEngine engine = enginePlan.open(TestEngines.options().withMaxDeviceBytes(limit));
                    AttentionResult expected = engine.attend(few, keys, values, window)) {
                int computed = 0;
                for (long free = limit / 2; free > 0; free -= limit / 8) {
                    try (Tensor other = engine.upload(Tensor.zeros(DType.BOOL, limit - free))) {
                        try (AttentionResult result = engine.attend(few, keys, values, window)) {
                            sameBits(queries + " queries with " + free + " bytes free", result, expected);
                            computed++;
                        } catch (DeviceException e) {
                            assertThat(e).hasMessageContaining("are free");
                        }
                        assertThat(other.isClosed()).isFalse();
                    }
                }
                assertThat(computed).isBetween(1, 3);
            }
        }
    }

    private static void sameBits(String what, AttentionResult got, AttentionResult expected) {
        assertThat(got.output().bytes()).as(what).isEqualTo(expected.output().bytes());
        assertThat(got.logSumExp().bytes())
                .as(what)
                .isEqualTo(expected.logSumExp().bytes());
    }

    static Stream<Arguments> layouts() {
        UnaryOperator<Tensor> asItIs = tensor -> tensor;
        UnaryOperator<Tensor> headsInRows = LimitsTest::headsInRows;
        UnaryOperator<Tensor> inWiderRows = LimitsTest::inWiderRows;
        return Stream.of(
                Arguments.of("permuted", headsInRows, headsInRows),
                Arguments.of("wider and permuted", inWiderRows, headsInRows),
                Arguments.of("wider", asItIs, inWiderRows));
    }

    /** A limit that is enough is not too little where it is larger, however keys and values lie. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("layouts")
    void whatFitsALimitFitsEveryLargerOne(String what, UnaryOperator<Tensor> ofKeys, UnaryOperator<Tensor> ofValues) {
        EngineInfo info = TestEngines.quickOpenCl().get(0);
        Tensor few = Tensor.random(1, 1, 4, 8, 16);
        Tensor keys = Tensor.random(2, 1, 4, 300, 16);
        Tensor values = Tensor.random(3, 1, 4, 300, 16);
        Attention plain = Attention.builder().logSumExp(true).build();
        try (AttentionEngine free = TestEngines.open(info);
                AttentionResult expected = free.attend(few, keys, values, plain)) {
            long least = 0;
            // From less than the keys of a head to more than all rows of both with their gaps.
            for (long limit = 30_000; limit < 600_000; limit += limit / 8) {
                try (AttentionEngine engine = AttentionEngine.open(
                                info.id(), TestEngines.options().withMaxDeviceBytes(limit));
                        AttentionResult result =
                                engine.attend(few, ofKeys.apply(keys), ofValues.apply(values), plain)) {
                    sameBits(what + " within " + limit + " bytes", result, expected);
                    least = least == 0 ? limit : least;
                } catch (DeviceException e) {
                    assertThat(least)
                            .as(what + ", within " + limit + " bytes: " + e.getMessage())
                            .isZero();
                }
            }
            // A head's keys and values, 19,200 bytes each, its queries and its results.
            assertThat(least).isBetween(38_400L, 50_000L);
        }
    }

    /** The same elements with as many others between two rows as a row and a half have. */
    private static Tensor inWiderRows(Tensor tensor) {
        Tensor wide = Tensor.zeros(DType.FLOAT32, 1, 4, 300, 40);
        for (int row = 0; row < 4 * 300; row++) {
            for (int d = 0; d < 16; d++) {
                wide.floats().put(row * 40 + 7 + d, tensor.floats().get(row * 16 + d));
            }
        }
        return wide.slice(3, 7, 23);
    }

    /** The same elements as [batch, length, heads, width] in memory. */
    private static Tensor headsInRows(Tensor tensor) {
        return tensor.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3);
    }

    @Test
    void aLimitIsNotNegative() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> EngineOptions.DEFAULT.withMaxDeviceBytes(-1))
                .withMessage("maxDeviceBytes: -1, must be 0 (what the device has) or more");
    }
}
