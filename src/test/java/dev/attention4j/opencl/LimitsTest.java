package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.TestEngines;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An engine takes no more of its device than it may, and says so where that is too little. */
class LimitsTest {
    private final Tensor query = Tensor.random(1, 2, 4, 50, 16);
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
            for (long limit : new long[] {200_000, 60_000, 30_000, 20_000, 14_000}) {
                List<ClEvent> launches = new ArrayList<>();
                try (OpenClEngine engine = open(info, "rows", limit)) {
                    engine.profileInto(launches);
                    AttentionResult result = engine.attend(query, key, value, attention);
                    launches.forEach(ClEvent::close);
                    assertThat(launches).as("within " + limit + " bytes").hasSizeGreaterThan(slices);
                    slices = launches.size();
                    assertThat(engine.mostDeviceBytes()).isLessThanOrEqualTo(limit);
                    assertThat(result.output().toFloatArray())
                            .as("within " + limit + " bytes")
                            .usingComparatorWithPrecision(2e-6f)
                            .containsExactly(expected.output().toFloatArray());
                    assertThat(result.logSumExp().toFloatArray())
                            .usingComparatorWithPrecision(2e-6f)
                            .containsExactly(expected.logSumExp().toFloatArray());
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
            assertThat(result.output().toFloatArray())
                    .usingComparatorWithPrecision(2e-6f)
                    .containsExactly(expected.output().toFloatArray());
            assertThat(engine.mostDeviceBytes()).isLessThanOrEqualTo(2 * key.byteSize() + 20_000);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whereNotEvenOneQueryFitsTheErrorSaysHowMuchIsNeededAndHowMuchThereIs(EngineInfo info) {
        try (OpenClEngine engine = open(info, "rows", 7_000)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.attend(query, key, value, attention))
                    .withMessageMatching("attention of a single query of one head, with its 64 keys and values, needs "
                            + "\\d+ bytes of device memory \\(query \\d+, key \\d+, value \\d+, key ranges \\d+, "
                            + "output \\d+, log-sum-exp \\d+\\), but of the 7000 bytes that this engine may take of .* 7000 are free, "
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
        try (OpenClEngine engine = open(info, "rows", 40_000);
                Tensor there = engine.upload(key)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.upload(query))
                    .withMessageContaining("a buffer of " + query.byteSize() + " bytes is needed")
                    .withMessageContaining("of the 40000 bytes that this engine may take of " + info.name())
                    .withMessageContaining(engine.context().pool().bytesInUse() + " are in use; close results");
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> engine.upload(Tensor.random(5, 1, 1, 10_001)))
                    .withMessageContaining("a buffer of 40004 bytes is needed")
                    .withMessageContaining("at most 40000 bytes at once");
            assertThat(there.isClosed()).isFalse();
        }
    }

    @Test
    void aLimitIsNotNegative() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> EngineOptions.DEFAULT.withMaxDeviceBytes(-1))
                .withMessage("maxDeviceBytes: -1, must be 0 (what the device has) or more");
    }
}
