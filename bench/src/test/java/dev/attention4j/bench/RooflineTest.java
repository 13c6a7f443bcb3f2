package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.measure.AttentionShape;
import java.util.List;
import org.junit.jupiter.api.Test;

class RooflineTest {
    @Test
    void everyDeviceHasAPeakAndABandwidth() {
        List<EngineInfo> devices = Engines.list().stream()
                .filter(info -> info.isOpenCl() && info.kind() != EngineInfo.Kind.EMULATOR)
                .toList();
        assertThat(devices).as("OpenCL devices of this machine").isNotEmpty();
        for (EngineInfo device : devices) {
            Roofline roofline = Roofline.measure(Roofline.device(device).orElseThrow());
            // Any processor of this century, busy as it may be, and none of the next.
            assertThat(roofline.multiplyAddGflops()).as(device.name()).isBetween(5.0, 1e6);
            assertThat(roofline.copyGbPerS()).as(device.name()).isBetween(0.5, 5e4);
            assertThat(roofline.readGbPerS()).as(device.name()).isBetween(0.5, 5e4);
        }
    }

    @Test
    void memoryLimitsWhatMovesMoreThanItComputes() {
        Roofline roofline = new Roofline(1000, 10, 20);
        AttentionProblem decode = AttentionShape.parse("1.1.1.1.4096.64").problem(DType.FLOAT32, Attention.DEFAULT);
        assertThat(roofline.limitGflops(decode.flops(), decode.bytes()))
                .isCloseTo(20 * decode.flops() / decode.bytes(), within(1e-9));
        AttentionProblem large = AttentionShape.parse("1.1.1.4096.4096.64").problem(DType.FLOAT32, Attention.DEFAULT);
        assertThat(roofline.limitGflops(large.flops(), large.bytes())).isEqualTo(1000);
    }

    @Test
    void theBetterOfTwoMeasurementsCounts() {
        assertThat(new Roofline(1000, 10, 25).or(new Roofline(900, 12, 20))).isEqualTo(new Roofline(1000, 12, 25));
    }

    @Test
    void theCpuEngineIsNoOpenClDevice() {
        assertThat(Roofline.device(Engines.resolve("cpu"))).isEmpty();
    }
}
