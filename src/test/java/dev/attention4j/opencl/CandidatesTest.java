package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every tiling that the tuner may pick is right, also on problems of a class that it was not measured on: odd sizes and
 * all options.
 */
class CandidatesTest {
    private static final int PROBLEMS = 6;

    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void everyCandidateIsRightOnOddProblems(EngineInfo info) {
        AttentionProblem large = new AttentionProblem(1, 2, 2, 512, 512, 64, 64, DType.FLOAT32, Attention.DEFAULT);
        List<Variant> variants;
        try (OpenClEngine engine = (OpenClEngine) TestEngines.open(info)) {
            variants = engine.variants(large);
            assertThat(variants).hasSizeGreaterThanOrEqualTo(engine.plans().size());
        }
        // Each is several builds of several seconds on CPUs; ForwardTilesTilingTest takes every tiling on every device.
        if (!"full".equals(System.getProperty("grid"))) {
            variants = variants.stream()
                    .filter(variant -> !variant.plan().equals(ForwardTiles.NAME))
                    .toList();
        }
        for (Variant variant : variants) {
            try (AttentionEngine engine =
                    AttentionEngine.open(info.id(), TestEngines.options().withPlan(variant.toString()))) {
                for (int n = 0; n < PROBLEMS; n++) {
                    RandomProblem problem = RandomProblem.draw(7000L + n, n);
                    Attention attention =
                            problem.attention().toBuilder().weights(false).build();
                    YardstickCheck.check(
                            engine,
                            problem.query(),
                            problem.key(),
                            problem.value(),
                            attention,
                            variant + " " + problem.reproduce());
                }
            }
        }
    }
}
