package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.opencl.tuning.TuningEntry;
import dev.attention4j.opencl.tuning.UserTuning;
import dev.attention4j.testing.PlainProjection;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An engine projects by the tiling that was tuned for its device, as long as it can. */
class TunedProjectionsTest {
    private final EngineInfo device = TestEngines.quickOpenCl().get(0);

    @TempDir
    private Path directory;

    private OpenClEngine open(Variant kept) throws IOException {
        Path privateDirectory = directory.resolve("private");
        Tuning tuning = Tuning.in(privateDirectory.resolve("tuning.json"));
        if (kept != null) {
            UserTuning.of(tuning)
                    .put(new TuningEntry(
                            device.name(),
                            device.driver(),
                            LocalDate.of(2026, 1, 2),
                            EngineOptions.AUTO,
                            ProblemClass.PROJECTIONS,
                            kept,
                            "gemm:40.24.24",
                            1,
                            1.5));
        }
        return (OpenClEngine) Engines.open(device.id(), EngineOptions.DEFAULT.withTuning(tuning));
    }

    @Test
    void theTunedTilingIsUsedAndRight() throws IOException {
        List<Variant> variants;
        try (OpenClEngine untuned = open(null)) {
            variants = untuned.projectionVariants();
            assertThat(untuned.projectionVariant()).isEqualTo(variants.get(0));
        }
        assertThat(variants).hasSizeGreaterThan(2).doesNotHaveDuplicates();

        Variant tuned = variants.get(variants.size() - 1);
        try (OpenClEngine engine = open(tuned)) {
            assertThat(engine.projectionVariant()).isEqualTo(tuned);
            check(engine.projector());
        }
    }

    @Test
    void anyVariantCanBeAskedForAndIsRight() throws IOException {
        try (OpenClEngine engine = open(null)) {
            List<Variant> variants = engine.projectionVariants();
            check(engine.projector(variants.get(1)));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.projector(new Variant("rows", Tunables.NONE)))
                    .withMessageStartingWith("variant: rows, must be of one of [project_");
        }
    }

    @Test
    void whatDoesNotFitMakesWayForTheDefault() throws IOException {
        Variant usual;
        try (OpenClEngine untuned = open(null)) {
            usual = untuned.projectionVariant();
        }
        for (Variant unfit :
                List.of(new Variant(usual.plan(), Tunables.parse("DEPTH=64")), new Variant("rows", Tunables.NONE))) {
            try (OpenClEngine engine = open(unfit)) {
                assertThat(engine.projectionVariant()).isEqualTo(usual);
                check(engine.projector());
            }
        }
    }

    private static void check(Projector projector) {
        Tensor input = Tensor.random(1, 2, 7, 20);
        Tensor kernel = Tensor.random(2, 20, 3, 11);
        Tensor bias = Tensor.random(3, 3, 11);
        try (Projector.Projection projection = projector.prepare(kernel, bias);
                Tensor heads = projector.toHeads(input, List.of(projection)).get(0)) {
            new PlainProjection(input.reshape(2, 1, 7, 20), null, kernel, bias).check("heads", heads);
        }
    }
}
