package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.tuner.Tuner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tiny problem from end to end, in a user directory of its own. */
class TuneCommandTest {
    private static final String DIRECTORY = "attention4j.cache.dir";
    private static final String SHAPE = "1.2.2.1.24.8";
    private static final AttentionProblem PROBLEM =
            new AttentionProblem(1, 2, 2, 1, 24, 8, 8, DType.FLOAT32, Attention.DEFAULT);

    @TempDir
    private Path root;

    private final EngineInfo device = TestEngines.quickOpenCl().get(0);
    private String directoryBefore;
    private Path file;

    @BeforeEach
    void ownUserDirectory() {
        directoryBefore = System.getProperty(DIRECTORY);
        Path directory = root.resolve("private");
        System.setProperty(DIRECTORY, directory.toString());
        file = directory.resolve("tuning.json");
    }

    @AfterEach
    void usualUserDirectory() {
        if (directoryBefore == null) {
            System.clearProperty(DIRECTORY);
        } else {
            System.setProperty(DIRECTORY, directoryBefore);
        }
    }

    private String explained() {
        try (AttentionEngine engine = AttentionEngine.open(device.id(), EngineOptions.DEFAULT.withPlan("rows"))) {
            return engine.explain(PROBLEM).toString();
        }
    }

    @Test
    void whatCannotBeKeptIsNotTimed() throws IOException {
        Path inTheWay = Files.writeString(root.resolve("file"), "");
        System.setProperty(DIRECTORY, inTheWay.resolve("cache").toString());

        Cli cli = Cli.run("tune", "--device", device.id(), "--plan", "rows", "--shapes", SHAPE);

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).startsWith("attention4j: " + inTheWay.resolve("cache") + " cannot be made or written");
        assertThat(cli.out()).doesNotContain(SHAPE);
    }

    /** Which tiling is faster is for the machine to say; what is printed, kept and used must be the same. */
    @Test
    void whatIsFasterIsPrintedKeptAndUsed() throws IOException {
        Cli cli = Cli.run("tune", "--device", device.id(), "--plan", "rows", "--shapes", SHAPE);

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out())
                .contains(SHAPE + ", for float32, widths 1-32, decode")
                .containsPattern("plan +tunables +ms +GFLOP/s +ratio")
                .containsPattern("rows +\\S.* +[\\d.]+ +[\\d.]+ +1\\.00 +default")
                .doesNotContain("staged", "WRONG");
        assertThat(cli.out().lines()).filteredOn(line -> !line.startsWith("/")).allSatisfy(line -> assertThat(line)
                .hasSizeLessThanOrEqualTo(Text.WIDTH));
        assertThat(cli.out().replaceAll("\\s+", " ")).contains(device.name() + ", driver " + device.driver());
        boolean kept = cli.lastLine().equals(file.toString());
        if (kept) {
            assertThat(cli.out().replaceAll("\\s+", " "))
                    .containsPattern("times as fast, faster in \\d+ of \\d+ turns\\.")
                    .contains("fastest");
            assertThat(Files.readString(file)).contains("attention4j tuning 1", SHAPE, device.name());
            assertThat(explained()).startsWith("rows (asked for, tuned on this device on ");
        } else {
            assertThat(cli.lastLine()).startsWith("Nothing to keep");
            assertThat(file).doesNotExist();
            assertThat(explained()).startsWith("rows (asked for, default for ");
        }
    }

    @Test
    void projectionsAreTunedToo() {
        Cli cli = Cli.run("tune", "--device", device.id(), "--shapes", "gemm:40.24.24");

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out())
                .contains("gemm:40.24.24, for projections")
                .containsPattern("project_(rows|tiles) +\\S.* +[\\d.]+ +[\\d.]+ +1\\.00 +default")
                .doesNotContain("staged", "WRONG");
    }

    @Test
    void projectionsHaveNoPlans() {
        Cli cli = Cli.run("tune", "--device", device.id(), "--plan", "rows", "--shapes", SHAPE + ",gemm:40.24.24");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("plan: \"rows\", must be auto for gemm:40.24.24");
        assertThat(cli.out()).as("nothing is tuned first").isEmpty();
        assertThat(Tuner.shapes(TuneCommand.usualShapes("rows")))
                .hasSameSizeAs(Tuner.shapes(Tuner.USUAL_ATTENTION))
                .allSatisfy(shape -> Tuner.checkPlan("rows", shape));
        assertThat(TuneCommand.usualShapes("auto")).contains("gemm:");
    }

    @Test
    void whatWouldBeLostAtTheEndIsRefusedAtTheBeginning() {
        Cli tiles = Cli.run("tune", "--shapes", SHAPE, "--plan", "rows:KEY_TILE=4", "--device", device.id());
        assertThat(tiles.exitCode()).isEqualTo(2);
        assertThat(tiles.err()).contains("must be \"rows\" alone");
        Cli twice = Cli.run("tune", "--shapes", "gemm:64.64.64,gemm:32.64.64", "--device", device.id());
        assertThat(twice.exitCode()).isEqualTo(2);
        assertThat(twice.err()).contains("gemm:64.64.64 and gemm:32.64.64 stand for one class");
    }

    @Test
    void aDryRunKeepsNothing() throws IOException {
        Path json = root.resolve("found.json");

        Cli cli = Cli.run(
                "tune", "--device", device.id(), "--plan", "rows", "--shapes", SHAPE, "--dry-run", "--json", json);

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).contains("Nothing was kept (--dry-run).").endsWith("Written to " + json + "\n");
        assertThat(file).doesNotExist();
        Map<String, Object> found = JSON.std.mapFrom(Files.readString(json));
        assertThat(found).containsKeys("version", "date").containsEntry("device", device.id());
        Map<?, ?> shape = (Map<?, ?>) ((List<?>) found.get("shapes")).get(0);
        assertThat(shape.get("shape")).isEqualTo(SHAPE);
        assertThat(shape.get("kept")).isEqualTo(false);
        assertThat((List<?>) shape.get("trials"))
                .isNotEmpty()
                .allSatisfy(trial -> assertThat(((Map<?, ?>) trial).get("plan")).isEqualTo("rows"));
    }

    @Test
    void anEngineWithOneWayToComputeIsRefused() {
        Cli cli = Cli.run("tune", "--device", "cpu");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("--device: cpu has one way to compute, must be an OpenCL device");
    }
}
