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
              {"shape": "1.1.1.8.8.4", "causal": true, "mask": false, "engine": "opencl:0", "plan": "fast",
               "peer": false, "median_ms": 2.5, "gflops": 1.5, "ratio_to_best_peer": 1.25},
              {"shape": "1.1.1.8.8.4", "causal": true, "mask": false, "engine": "pytorch", "plan": "p",
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
                .contains("| shape | opencl:0 fast | pytorch |", "| 1.1.1.8.8.4 causal | 2.500 (1.25) | 3.125 |")
                .contains("](bench/results/a-device.svg)", "1.25 times as fast", "2026-01-02");
        assertThat(Files.readString(results.resolve("a-device.svg"))).contains("<svg", "viewBox");
        ReadmeTable.rewrite(readme, results);
        assertThat(Files.readString(readme)).isEqualTo(once);
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
