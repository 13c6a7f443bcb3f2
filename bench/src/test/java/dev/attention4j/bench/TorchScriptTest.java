package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kit's {@code torch_sdpa.py} with a PyTorch of plain Python whose GPU's times are known. */
class TorchScriptTest {
    @TempDir
    private Path directory;

    private String said = "";

    private int run(String torch, String grid, String... arguments) throws Exception {
        Path shapes = Files.writeString(directory.resolve("grid.txt"), grid);
        ProcessBuilder builder = new ProcessBuilder(
                "python3", "kit/torch_sdpa.py", "--grid", shapes.toString(), "--json", json().toString());
        builder.command().addAll(List.of(arguments));
        builder.environment()
                .put(
                        "PYTHONPATH",
                        Path.of("src", "test", "resources", "torch-stub").toString());
        builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        builder.environment().put("STUB_TORCH", torch);
        Process process = builder.redirectErrorStream(true).start();
        said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return process.waitFor();
    }

    private Path json() {
        return directory.resolve("torch.json");
    }

    private Map<String, Object> report() throws IOException {
        return JSON.std.mapFrom(Files.readString(json()));
    }

    /** What is listed under a key, by shape and backend. */
    private Map<String, Map<?, ?>> listed(String key) throws IOException {
        Map<String, Map<?, ?>> byName = new HashMap<>();
        for (Object entry : (List<?>) report().get(key)) {
            Map<?, ?> of = (Map<?, ?>) entry;
            String causal = of.get("causal").equals(true) ? ":causal " : " ";
            byName.put(of.get("shape") + causal + of.get("backend"), of);
        }
        return byName;
    }

    @Test
    void eachBackendIsTimedByTheGpusClockAndCheckedInFloat64() throws Exception {
        assertThat(
                        run(
                                "",
                                "float32 1.2.2.40.40.4\n# a comment\nfloat32 1.2.2.40.40.4:causal\nfloat32 1.2.2.1.40.4:cache\n"))
                .as(() -> said)
                .isZero();
        assertThat(report())
                .containsEntry("status", "complete")
                .containsEntry("device", "Stub GPU")
                .containsEntry("tf32", false)
                .containsEntry("missing", List.of());
        Map<String, Map<?, ?>> results = listed("results");
        Map<String, Double> costs = Map.of("flash", 0.02, "efficient", 0.08, "cudnn", 0.04, "math", 0.32);
        assertThat(results).hasSize(2 * costs.size());
        costs.forEach((backend, milliseconds) -> {
            Map<?, ?> full = results.get("1.2.2.40.40.4 " + backend);
            assertThat(number(full, "median_ms")).isEqualTo(milliseconds, within(1e-6));
            assertThat(number(full, "rounds")).isGreaterThanOrEqualTo(7);
            assertThat(number(full, "gflops")).isEqualTo(4 * 2 * 40 * 40 * 4 / milliseconds / 1e6, within(1e-3));
            assertThat(number(full, "max_error")).isLessThan(1e-12);
            Map<?, ?> causal = results.get("1.2.2.40.40.4:causal " + backend);
            assertThat(number(causal, "gflops")).isEqualTo(number(full, "gflops") / 2, within(1e-3));
            // The stub's cuDNN does not heed is_causal: a wrong result does not pass for a right one.
            assertThat(number(causal, "max_error") > 0.1).isEqualTo(backend.equals("cudnn"));
        });
    }

    private static double number(Map<?, ?> entry, String name) {
        return ((Number) entry.get(name)).doubleValue();
    }

    @Test
    void whatABackendOrTheMemoryCannotDoIsListedAndTheRestGoesOn() throws Exception {
        assertThat(run("", "float16 1.4.2.1.9.4\nfloat16 1.1.1.2000.2000.4\nfloat32 1.1.1.1.5.4:causal\n"))
                .as(() -> said)
                .isZero();
        Map<String, Map<?, ?>> missing = listed("missing");
        assertThat(missing)
                .containsOnlyKeys(
                        "1.4.2.1.9.4 flash",
                        "1.4.2.1.9.4 efficient",
                        "1.1.1.2000.2000.4 all",
                        "1.1.1.1.5.4:causal flash");
        assertThat(missing.get("1.4.2.1.9.4 flash").get("reason"))
                .isEqualTo("No available kernel. Aborting execution.");
        assertThat(missing.get("1.1.1.2000.2000.4 all").get("reason"))
                .isEqualTo("CUDA out of memory. Tried to allocate 64.00 GiB.");
        Map<String, Map<?, ?>> results = listed("results");
        assertThat(results)
                .containsOnlyKeys(
                        "1.4.2.1.9.4 cudnn",
                        "1.4.2.1.9.4 math",
                        "1.1.1.1.5.4:causal efficient",
                        "1.1.1.1.5.4:causal cudnn",
                        "1.1.1.1.5.4:causal math");
        assertThat(number(results.get("1.4.2.1.9.4 math"), "max_error")).isLessThan(1e-12);
        // One query row at the top left sees one key.
        assertThat(number(results.get("1.1.1.1.5.4:causal math"), "gflops"))
                .isEqualTo(4 * 4 / 0.32 / 1e6, within(1e-3));
    }

    @Test
    void whoeverHasNoTimeLeftLeavesAFileThatSaysSo() throws Exception {
        assertThat(run("", "float32 1.1.1.8.8.4\n", "--max-seconds", "0")).isZero();
        assertThat(report()).containsEntry("status", "stopped").containsEntry("results", List.of());
    }

    @Test
    void aPyTorchThatIsNotThereOrSeesNoGpuIsNoFailure() throws Exception {
        assertThat(run("absent", "float32 1.1.1.8.8.4\n")).isEqualTo(3);
        assertThat(report()).containsEntry("status", "absent");
        assertThat(report().get("reason").toString())
                .contains("has none that can be used: libcudart.so.12: cannot open shared object file")
                .doesNotContain("\n");
        assertThat(run("no-gpu", "float32 1.1.1.8.8.4\n")).isEqualTo(3);
        assertThat(report()).containsEntry("reason", "PyTorch 2.7.1+stub sees no GPU");
    }

    @Test
    void aPyTorchWhoseLibrariesDoNotLoadOrWhoseGpuCannotBeUsedIsNoFailure() throws Exception {
        assertThat(run("broken", "float32 1.1.1.8.8.4\n")).as(() -> said).isEqualTo(3);
        assertThat(report()).containsEntry("status", "absent");
        assertThat(report().get("reason").toString())
                .contains("has none that can be used: libcublas.so.12: cannot open shared object file")
                .doesNotContain("\n");
        assertThat(run("no-driver", "float32 1.1.1.8.8.4\n")).as(() -> said).isEqualTo(3);
        assertThat(report())
                .containsEntry("status", "absent")
                .containsEntry(
                        "reason", "PyTorch 2.7.1+stub cannot use its GPU: The NVIDIA driver on your system is too old");
        assertThat(run("lost", "float32 1.1.1.8.8.4\n")).as(() -> said).isEqualTo(3);
        assertThat(report().get("reason").toString()).endsWith("all CUDA-capable devices are busy or unavailable");
    }

    @Test
    void anInfiniteErrorLeavesAFileThatIsJson() throws Exception {
        assertThat(run("infinite", "float32 1.1.1.8.8.4\n")).as(() -> said).isZero();
        // What Python calls JSON by itself is none: the reader here refuses it as the report's does.
        assertThat(report()).containsEntry("status", "complete");
        Map<?, ?> flash = listed("results").get("1.1.1.8.8.4 flash");
        assertThat(flash.containsKey("max_error")).isTrue();
        assertThat(flash.get("max_error")).isNull();
        assertThat(number(listed("results").get("1.1.1.8.8.4 math"), "max_error"))
                .isLessThan(1e-12);
    }
}
