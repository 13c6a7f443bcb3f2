package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.DType;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

/** What the kit makes of whole, half and missing steps. */
class KitReportTest {
    private static final Path GRID = Path.of("kit", "grid.txt");

    @TempDir
    private Path folder;

    private Path steps;

    @BeforeEach
    void makeSteps() throws IOException {
        steps = Files.createDirectories(folder.resolve("steps"));
    }

    @Test
    void nothingAtAllIsMergedIntoAFileThatSaysSo() throws Exception {
        Map<String, Object> report = KitReport.merge(folder, "stopped");

        assertThat(report).containsEntry("status", "stopped").containsEntry("beside_torch", List.of());
        assertThat(JSON.std.mapFrom(Files.readString(folder.resolve("results.json"))))
                .containsEntry("status", "stopped");
        assertThat(chart()).contains("No case was timed");
    }

    @Test
    void ownTimesStandBesideTheFastestOfPyTorchsBackends() throws Exception {
        Files.writeString(
                steps.resolve("steps.tsv"), "resident\tok\t0\t12\tcalls\ntorch\tout of time\t124\t9\ttorch\n");
        Files.writeString(
                steps.resolve("roofline.json"),
                "{\"results\":[{\"engine\":\"opencl:0\",\"multiply_add_gflops\":4000,\"copy_gb_per_s\":100}]}");
        Files.writeString(
                steps.resolve("resident.json"),
                "{\"device\":\"A <GPU> & more\",\"engine\":\"opencl:0\",\"results\":["
                        + entry(
                                "float32",
                                false,
                                "\"outcome\":\"timed\",\"plan\":\"tiles\",\"kernel_ms\":4.0,"
                                        + "\"median_ms\":5.0,\"gflops\":2000,\"read_gb_per_s\":85")
                        + ","
                        + entry(
                                "float32",
                                true,
                                "\"outcome\":\"timed\",\"plan\":\"tiles\",\"kernel_ms\":null,"
                                        + "\"median_ms\":1.0,\"gflops\":1000")
                        + "," + entry("float16", false, "\"outcome\":\"failed\",\"reason\":\"wrong result\"") + "]}");
        Files.writeString(
                steps.resolve("torch.json"),
                "{\"results\":["
                        + entry("float32", false, "\"backend\":\"math\",\"median_ms\":9.0,\"gflops\":900") + ","
                        + entry("float32", false, "\"backend\":\"efficient\",\"median_ms\":2.0,\"gflops\":4000") + ","
                        + entry("float32", true, "\"backend\":\"efficient\",\"median_ms\":8.0,\"gflops\":125") + ","
                        + entry("float16", false, "\"backend\":\"flash\",\"median_ms\":1.0,\"gflops\":8000") + "]}");

        Map<String, Object> report = KitReport.merge(folder, "complete");

        List<Map<String, Object>> results = KitReport.entries(report, "resident", "results");
        assertThat(results.get(0)).containsEntry("fraction_of_peak", 0.5).containsEntry("fraction_of_copy", 0.85);
        assertThat(results.get(1)).doesNotContainKey("fraction_of_copy");
        assertThat(results.get(2)).doesNotContainKey("fraction_of_peak");
        @SuppressWarnings("unchecked") // What merge() makes.
        List<Map<String, Object>> pairs = (List<Map<String, Object>>) report.get("beside_torch");
        assertThat(pairs).hasSize(2);
        assertThat(pairs.get(0))
                .containsEntry("torch_backend", "efficient")
                .containsEntry("device_ms", 4.0)
                .containsEntry("ratio_to_torch", 0.5);
        // No clock of the device's: the call's own time.
        assertThat(pairs.get(1)).containsEntry("device_ms", 1.0).containsEntry("ratio_to_torch", 8.0);
        assertThat(report.get("summary"))
                .isEqualTo(Map.of(
                        "float32",
                        Map.of(
                                "cases", 2,
                                "best_gflops", 2000.0,
                                "compared", 2,
                                "geomean_ratio_to_torch", 2.0,
                                "min_ratio_to_torch", 0.5)));
        assertThat(KitReport.entries(Map.of("all", report), "all", "steps"))
                .extracting(step -> step.get("outcome"))
                .containsExactly("ok", "out of time");
        assertThat(chart())
                .contains(
                        "A &lt;GPU&gt; &amp; more",
                        "PyTorch flash",
                        "2.0 TFLOP/s, 4.000 ms, tiles",
                        "4.8.8.64.64.32 causal");
    }

    @Test
    void aHalfWrittenFileTakesNothingFromTheOthers() throws Exception {
        Files.writeString(steps.resolve("devices.json"), "{\"engines\":[{\"id\":");
        Files.writeString(steps.resolve("conformance.json"), "{\"passed\":3,\"failed\":0}");

        Map<String, Object> report = KitReport.merge(folder, "running");

        assertThat(String.valueOf(report.get("devices"))).contains("not readable");
        assertThat(report.get("conformance")).isEqualTo(Map.of("passed", 3, "failed", 0));
    }

    @Test
    void theGridHoldsWhatAGpuIsToBeMeasuredOn() throws Exception {
        List<KitCase> grid = KitCase.read(GRID);

        assertThat(grid).doesNotHaveDuplicates();
        for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16)) {
            for (int width : List.of(64, 128, 256)) {
                for (int length : List.of(512, 1024, 2048, 4096, 8192, 16384)) {
                    assertThat(grid.stream()
                                    .filter(one -> one.dtype() == dtype
                                            && one.shape().headDim() == width
                                            && one.shape().queryLength() == length
                                            && one.shape().keyLength() == length)
                                    .map(one -> one.shape().isCausal()))
                            .as("%s, head dim %d, length %d", dtype, width, length)
                            .contains(true, false);
                }
            }
            assertThat(grid)
                    .filteredOn(one -> one.dtype() == dtype && one.shape().queryLength() == 1)
                    .extracting(
                            one -> one.shape().isCached() ? one.shape().cache().pageSize() : -1)
                    .contains(-1, 0, 16);
        }
    }

    @Test
    void aLineOfTheGridThatDoesNotParseIsNamed() throws Exception {
        Path grid = folder.resolve("grid");
        Files.writeString(grid, "# comment\nfloat32 1.1.1.8.8.4\nfloat8 1.1.1.8.8.4\n");

        assertThatThrownBy(() -> KitCase.read(grid))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("line 3")
                .hasMessageContaining("float8");
    }

    private static String entry(String dtype, boolean causal, String rest) {
        return "{\"dtype\":\"" + dtype + "\",\"shape\":\"4.8.8.64.64.32\",\"causal\":" + causal
                + ",\"engine\":\"opencl:0\"," + rest + "}";
    }

    /** The chart, which must be XML. */
    private String chart() throws Exception {
        String svg = Files.readString(folder.resolve("chart.svg"));
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
        return svg;
    }
}
