package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Shape;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FiguresTest {
    private static final AttentionShape FIRST = AttentionShape.parse("1.1.1.100.100.50");
    private static final AttentionShape SECOND = AttentionShape.parse("1.1.1.100.100.50:causal");
    private static final EngineInfo DEVICE =
            new EngineInfo("opencl:0", EngineInfo.Kind.GPU, "a device", "a vendor", "1.0", Map.of());

    @Test
    void geometricMeanOfRatios() {
        assertThat(Figures.geometricMean(List.of(2.0, 8.0)).orElseThrow()).isCloseTo(4, within(1e-12));
        assertThat(Figures.geometricMean(List.of())).isEmpty();
    }

    @Test
    void ratioIsBestPeersMedianByThisMedian() {
        List<Measurement> measured = List.of(
                timed(FIRST, "opencl:0", "fast", false, 2),
                timed(FIRST, "slow peer", "p", true, 9),
                timed(FIRST, "best peer", "p", true, 3));
        assertThat(Figures.ratioToBestPeer(measured.get(0), measured)).hasValue(1.5);
        assertThat(Figures.ratioToBestPeer(measured.get(1), measured).orElseThrow())
                .isCloseTo(1 / 3.0, within(1e-12));
        assertThat(Figures.ratioToBestPeer(measured.get(2), measured)).hasValue(1);
    }

    @Test
    void aPeerThatFailedIsNobodysMeasure() {
        List<Measurement> measured = List.of(timed(FIRST, "opencl:0", "fast", false, 2), failed(FIRST));
        assertThat(Figures.ratioToBestPeer(measured.get(0), measured)).isEmpty();
        assertThat(Figures.ratioToBestPeer(measured.get(1), measured)).isEmpty();
    }

    @Test
    void reportHoldsTheNamedFieldsAndWhatIsMissing() {
        Map<String, Object> map = report().toMap();
        assertThat(map)
                .containsEntry("device", "a device")
                .containsEntry("driver", "1.0")
                .containsKeys("date", "version", "roofline");
        List<?> results = (List<?>) map.get("results");
        assertThat(results).hasSize(5);
        assertThat((Map<?, ?>) results.get(0)).satisfies(result -> {
            assertThat(result.get("shape")).isEqualTo("1.1.1.100.100.50");
            assertThat(result.get("causal")).isEqualTo(false);
            assertThat(result.get("engine")).isEqualTo("opencl:0");
            assertThat(result.get("plan")).isEqualTo("fast");
            assertThat(result.get("peer")).isEqualTo(false);
            assertThat(result.get("median_ms")).isEqualTo(2.0);
            // 4 * 100 * 100 * 50 operations in 2 ms.
            assertThat(result.get("gflops")).isEqualTo(1.0);
            assertThat(result.get("ratio_to_best_peer")).isEqualTo(2.0);
            assertThat(result.get("fraction_of_peak")).isEqualTo(0.01);
            // Alone they reach 2 GFLOP/s.
            assertThat(result.get("fraction_of_multiply_adds")).isEqualTo(0.5);
            assertThat(result.get("max_error")).isEqualTo(1e-7);
        });
        // A peer does not run on the device.
        assertThat(((Map<?, ?>) results.get(1)).get("fraction_of_multiply_adds"))
                .isNull();
        List<?> missing = (List<?>) map.get("missing");
        assertThat(missing).hasSize(1);
        assertThat(((Map<?, ?>) missing.get(0)).get("reason")).isEqualTo("it broke");
    }

    @Test
    void summaryFollowsTheEnginesOwnChoice() {
        Map<?, ?> summary = (Map<?, ?>) report().toMap().get("summary");
        Map<?, ?> engine = (Map<?, ?>) summary.get("opencl:0");
        // Its own choice was "fast" (2 times the peer), then "slow" (8 times).
        assertThat(engine.get("geomean_ratio")).isEqualTo(4.0);
        assertThat(engine.get("min_ratio")).isEqualTo(2.0);
        assertThat(engine.get("shapes")).isEqualTo(2);
        Map<?, ?> slow = (Map<?, ?>) ((Map<?, ?>) engine.get("plans")).get("slow");
        assertThat(slow.get("geomean_ratio")).isEqualTo(8.0);
        assertThat(slow.get("shapes")).isEqualTo(1);
    }

    private static Report report() {
        Report report = new Report(
                DEVICE, DType.FLOAT32, 2, 7, List.of(DEVICE), Map.of(), Map.of("opencl:0", new Roofline(100, 10, 10)));
        report.add(
                FIRST,
                List.of(timed(FIRST, "opencl:0", "fast", false, 2), timed(FIRST, "peer", "p", true, 4), failed(FIRST)));
        report.add(
                SECOND,
                List.of(
                        other(timed(SECOND, "opencl:0", "fast", false, 1)),
                        timed(SECOND, "opencl:0", "slow", false, 0.5),
                        timed(SECOND, "peer", "p", true, 4)));
        return report;
    }

    private static Measurement timed(Shape shape, String who, String plan, boolean peer, double ms) {
        return measurement(shape, who, plan, peer, true, ms);
    }

    private static Measurement other(Measurement measurement) {
        return measurement(
                measurement.shape(), measurement.contender(), measurement.plan(), false, false, measurement.medianMs());
    }

    private static Measurement measurement(
            Shape shape, String who, String plan, boolean peer, boolean ownChoice, double ms) {
        double gflops = shape.flops() / ms / 1e6;
        double read = shape instanceof AttentionShape attention && attention.queryLength() == 1 ? 20 : Double.NaN;
        return new Measurement(
                shape,
                who,
                plan,
                peer,
                ownChoice,
                Measurement.Outcome.TIMED,
                "",
                ms,
                ms,
                ms,
                gflops,
                1e-7,
                read,
                Double.isNaN(read) ? 2 : Double.NaN,
                "oracle");
    }

    @Test
    void aDecodingStepIsSetBesideAPlainRead() {
        AttentionShape decode = AttentionShape.parse("2.4.4.1.1000.64");
        // 2 x 4 x 1000 x (64 + 64) x 4 bytes are 4.096 MB, in 0.25 ms 16.4 GB/s of 20.
        Measurement measurement = measurement(decode, "opencl:0", "decode", false, true, 0.25);
        Report report = report();
        report.add(decode, List.of(measurement));
        assertThat(report.fractionOfRead(measurement).orElseThrow()).isCloseTo(0.8192, within(1e-9));
        assertThat(report.fractionOfMultiplyAdds(measurement)).isEmpty();
        Measurement other = measurement(AttentionShape.parse("2.4.4.2.1000.64"), "opencl:0", "rows", false, true, 0.25);
        assertThat(report.fractionOfRead(other)).isEmpty();
    }

    private static Measurement failed(Shape shape) {
        double none = Double.NaN;
        Measurement.Outcome failed = Measurement.Outcome.FAILED;
        return new Measurement(
                shape,
                "broken",
                "p",
                true,
                false,
                failed,
                "it broke",
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                "oracle");
    }
}
