package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadmeTableTest {
    private static final String REPORT =
            """
            {"device": "a device", "driver": "1.0", "date": "2026-01-02T03:04:05Z", "version": "0.1", "dtype": "float32",
             "threads": 2, "rounds": 7, "results": [
              {"shape": "4.8.8.1024.1024.64", "causal": true, "mask": false, "engine": "opencl:0", "plan": "fast",
               "peer": false, "median_ms": 2.5, "gflops": 1.5, "ratio_to_best_peer": 1.25},
              {"shape": "4.8.8.1024.1024.64", "causal": true, "mask": false, "engine": "pytorch", "plan": "p",
               "peer": true, "median_ms": 3.125, "gflops": 1.2, "ratio_to_best_peer": 1.0}],
             "summary": {"opencl:0": {"geomean_ratio": 1.25, "min_ratio": 1.25, "shapes": 1}}}
            """;

    @TempDir
    Path directory;

    private Path readme;
    private Path results;

    @BeforeEach
    void files() throws IOException {
        readme = directory.resolve("README.md");
        results = Files.createDirectories(directory.resolve("bench/results"));
        Files.writeString(results.resolve("a-device.json"), REPORT);
    }

    @Test
    void putsTableAndChartBetweenTheComments() throws IOException {
        Files.writeString(readme, "before\n" + ReadmeTable.BEGIN + "\nstale\n" + ReadmeTable.END + "\nafter\n");
        ReadmeTable.rewrite(readme, results);
        String once = Files.readString(readme);
        assertThat(once)
                .startsWith("before\n" + ReadmeTable.BEGIN)
                .endsWith(ReadmeTable.END + "\nafter\n")
                .doesNotContain("stale")
                .contains(
                        "(bench/results/a-device.md)",
                        "<img src=\"bench/results/a-device.svg\" width=\"800\"",
                        "media=\"(prefers-color-scheme: dark)\" srcset=\"bench/results/a-device-dark.svg\"",
                        "head dim 64, batch 4, causal: 1.25",
                        "- `opencl:0` (a device, driver 1.0): 1.25 times as fast as the best peer in the geometric mean of"
                                + " 1 shapes, at least 1.25 times");
        assertThat(once.lines().count()).isLessThan(20);
        for (String chart : new String[] {"a-device.svg", "a-device-dark.svg"}) {
            assertThat(Files.readString(results.resolve(chart))).contains("<svg", "viewBox");
        }
        assertThat(Files.readString(results.resolve("a-device.md")))
                .contains("| shape | in words | opencl:0 fast | pytorch |", "2026-01-02")
                .contains("| 4.8.8.1024.1024.64:causal | Self-attention, ", " | 2.500 (1.25) | 3.125 |");
        ReadmeTable.rewrite(readme, results);
        assertThat(Files.readString(readme)).isEqualTo(once);
    }

    /** A later run of some shapes replaces their figures, and only theirs. */
    @Test
    void theNewestReportOfADeviceCounts() throws IOException {
        Files.writeString(
                results.resolve("a-device-again.json"),
                REPORT.replace("2026-01-02", "2026-03-04").replace("1.25", "1.5"));
        Files.writeString(
                results.resolve("a-device-other.json"),
                REPORT.replace("2026-01-02", "2026-02-03")
                        .replace("4.8.8.1024.1024.64", "8.12.12.512.512.64")
                        .replace("1.25", "6"));
        Files.writeString(readme, ReadmeTable.BEGIN + "\n" + ReadmeTable.END + "\n");
        ReadmeTable.rewrite(readme, results);
        // The geometric mean of 1.5 and 6 is 3.
        assertThat(Files.readString(readme))
                .contains("3.00 times as fast as the best peer in the geometric mean of 2 shapes, at least 1.50 times");
        assertThat(results.resolve("a-device-again.svg")).doesNotExist();
    }

    @Test
    void refusesAReadmeWithoutTheComments() throws IOException {
        Files.writeString(readme, "nothing\n");
        assertThatThrownBy(() -> ReadmeTable.rewrite(readme, results))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(ReadmeTable.BEGIN);
    }

    @Test
    void refusesADirectoryWithoutResults() throws IOException {
        Files.writeString(readme, ReadmeTable.BEGIN + "\n" + ReadmeTable.END + "\n");
        Files.delete(results.resolve("a-device.json"));
        assertThatThrownBy(() -> ReadmeTable.rewrite(readme, results))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at least one .json");
    }
}
