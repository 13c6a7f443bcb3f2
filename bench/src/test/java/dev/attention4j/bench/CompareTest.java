package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.DType;
import dev.attention4j.bench.peer.Peers;
import dev.attention4j.cli.Progress;
import dev.attention4j.measure.AttentionShape;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompareTest {
    @TempDir
    Path directory;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int compare(String... args) {
        return Compare.run(new PrintWriter(out), new PrintWriter(err), args);
    }

    /** Of times nothing is asked here but that there are some. */
    private int compareBriefly(String... args) {
        List<String> all = new ArrayList<>(List.of("--warm-up", "0.06"));
        all.addAll(List.of(args));
        return compare(all.toArray(new String[0]));
    }

    @Test
    void comparesEveryEnginePlanAndPeer() throws IOException {
        Path json = directory.resolve("c.json");
        Path chart = directory.resolve("c.svg");
        int code = compareBriefly(
                "--shapes",
                "1.4.4.64.64.32,1.4.4.64.64.32:causal,1.4.4.64.64.32:mask,1.4.2.64.64.32",
                "--json",
                json.toString(),
                "--chart",
                chart.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        assertThat(out.toString()).contains("ratio", "peak", "error", "geomean", "GFLOP/s");

        Map<String, Object> report = JSON.std.mapFrom(Files.readString(json));
        assertThat(report).containsKeys("device", "driver", "date", "version", "results", "summary");
        List<Map<?, ?>> results = new ArrayList<>();
        ((List<?>) report.get("results")).forEach(result -> results.add((Map<?, ?>) result));
        assertThat(who(results, false)).contains("cpu", "opencl:0");
        assertThat(who(results, true))
                .containsExactlyInAnyOrder("pytorch-2.10", "pytorch-2.7", "onnxruntime", "plain-java");
        for (Map<?, ?> result : results) {
            assertThat(result.get("plan")).isInstanceOf(String.class);
            for (String number :
                    List.of("median_ms", "gflops", "ratio_to_best_peer", "fraction_of_peak", "max_error")) {
                assertThat(((Number) result.get(number)).doubleValue())
                        .as("%s of %s", number, result)
                        .isPositive();
            }
            assertThat(((Number) result.get("max_error")).doubleValue()).isLessThan(1e-5);
            assertThat(((Number) result.get("fraction_of_peak")).doubleValue()).isLessThan(1.5);
            // A decoding step is set beside a read, anything else beside multiply-adds.
            boolean decodes =
                    AttentionShape.parse(result.get("shape").toString()).queryLength() == 1;
            assertThat(result.get("multiply_add_gflops") == null)
                    .as(result.toString())
                    .isEqualTo(decodes);
            assertThat(result.get("read_gb_per_s") == null)
                    .as(result.toString())
                    .isEqualTo(!decodes);
        }
        Map<?, ?> summary = (Map<?, ?>) report.get("summary");
        for (Object ofEngine : summary.values()) {
            assertThat(((Map<?, ?>) ofEngine).get("shapes")).isEqualTo(4);
            assertThat(((Number) ((Map<?, ?>) ofEngine).get("geomean_ratio")).doubleValue())
                    .isPositive();
            assertThat(((Number) ((Map<?, ?>) ofEngine).get("min_ratio")).doubleValue())
                    .isPositive();
        }
        // One of ONNX Runtime's operators has no grouped heads, the other is always causal. The plan host of a device
        // that
        // is this processor does tiny problems alone.
        assertThat((List<?>) report.get("missing"))
                .allSatisfy(missing ->
                        assertThat(((Map<?, ?>) missing).get("outcome")).isEqualTo("cannot"))
                .filteredOn(missing -> !"host".equals(((Map<?, ?>) missing).get("plan")))
                .hasSize(4);
        assertThat(((Map<?, ?>) report.get("peers")).keySet()).hasToString("[pytorch-2.10, pytorch-2.7, onnxruntime]");
        assertThat(out.toString()).contains("OpenBLAS kernel", "MKL", "ONNX Runtime 1.");
        assertThat(Files.readString(chart)).contains("<svg", "viewBox");
    }

    @Test
    void gradientsAreComparedAndSetBesideTheForwardPass() throws IOException {
        Path json = directory.resolve("gradients.json");
        String shape = "1.2.2.64.64.32:causal";
        int code = compareBriefly(
                "--shapes",
                shape + "," + shape + ":backward," + shape + ":training",
                "--engines",
                "cpu",
                "--peers",
                "pytorch-2.7",
                "--plan",
                "auto",
                "--json",
                json.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        List<?> results = (List<?>) JSON.std.mapFrom(Files.readString(json)).get("results");
        assertThat(results).hasSize(6);
        for (Object entry : results) {
            Map<?, ?> result = (Map<?, ?>) entry;
            assertThat(result.get("checked_against")).isEqualTo("oracle");
            assertThat(((Number) result.get("max_error")).doubleValue()).isLessThan(2e-5);
            assertThat(result.get("times_forward") == null).isEqualTo(result.get("pass") == null);
        }
        assertThat(out.toString()).contains("times its forward pass", shape + ":training");
        assertThat(Result.list(JSON.std.mapFrom(Files.readString(json))))
                .extracting(Result::name)
                .contains(shape, shape + ":backward", shape + ":training");
    }

    @Test
    void layersAndProjectionsAreComparedToo() throws IOException {
        Path json = directory.resolve("layers.json");
        int code = compareBriefly(
                "--shapes", "layer:2.40.24.3,gemm:70.33.50", "--plan", "auto", "--json", json.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        List<Map<?, ?>> layers = new ArrayList<>();
        List<Map<?, ?>> projections = new ArrayList<>();
        for (Object entry : (List<?>) JSON.std.mapFrom(Files.readString(json)).get("results")) {
            Map<?, ?> result = (Map<?, ?>) entry;
            (result.get("shape").equals("layer:2.40.24.3") ? layers : projections).add(result);
            assertThat(((Number) result.get("max_error")).doubleValue()).isLessThan(1e-5);
            assertThat(((Number) result.get("fraction_of_peak")).doubleValue()).isBetween(0.0, 1.5);
            assertThat(result.get("checked_against")).isEqualTo("oracle");
        }
        assertThat(who(layers, false)).contains("cpu", "opencl:0");
        assertThat(who(layers, true))
                .containsExactlyInAnyOrder("pytorch-2.10", "pytorch-2.7", "onnxruntime", "plain-java");
        assertThat(projections)
                .allSatisfy(result -> assertThat(result.get("shape")).isEqualTo("gemm:70.33.50"));
        assertThat(who(projections, false)).contains("cpu", "opencl:0");
        assertThat(who(projections, true)).containsExactlyInAnyOrder("pytorch-2.10", "pytorch-2.7");
    }

    @Test
    void cachesAreComparedToo() throws IOException {
        Path json = directory.resolve("cache.json");
        int code = compareBriefly(
                "--shapes",
                "2.4.2.1.70.32:cache-float16,1.4.2.3.70.32:cache,2.4.2.1.70.32:pages16-bfloat16",
                "--plan",
                "auto",
                "--peers",
                "onnxruntime,plain-java",
                "--json",
                json.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        List<Result> results = Result.list(JSON.std.mapFrom(Files.readString(json)));
        assertThat(results)
                .extracting(result -> result.shape() + " " + result.engine())
                .contains(
                        "2.4.2.1.70.32:cache-float16 opencl:0",
                        "2.4.2.1.70.32:cache-float16 cpu",
                        "2.4.2.1.70.32:cache-float16 onnxruntime",
                        "1.4.2.3.70.32:cache opencl:0",
                        "1.4.2.3.70.32:cache onnxruntime",
                        "2.4.2.1.70.32:pages16-bfloat16 opencl:0",
                        "2.4.2.1.70.32:pages16-bfloat16 cpu");
        assertThat(results.get(0).words()).endsWith("batch 2, float16 cache");
        assertThat(out.toString()).contains("keys and values at");
    }

    private static Set<String> who(List<Map<?, ?>> results, boolean peer) {
        Set<String> names = new HashSet<>();
        results.stream()
                .filter(result -> result.get("peer").equals(peer))
                .forEach(result -> names.add((String) result.get("engine")));
        return names;
    }

    @Test
    void halfPrecisionAndAChartWithoutPeers() throws IOException {
        Path chart = directory.resolve("alone.svg");
        int code = compareBriefly(
                "--shapes",
                "1.2.2.64.64.32",
                "--engines",
                "cpu",
                "--peers",
                "none",
                "--dtype",
                "bfloat16",
                "--chart",
                chart.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        assertThat(Files.readString(chart)).contains("Useful GFLOP/s", "attention4j in plain Java");
    }

    @Test
    void aDeviceIsComparedAloneWhereItIsNamed() {
        assertThat(compareBriefly("--shapes", "1.2.2.64.64.32", "--device", "cpu", "--peers", "plain-java"))
                .isZero();
        assertThat(out.toString()).contains("plain-java").doesNotContain("opencl:0  ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "--shapes; 1.2.3; shape: \"1.2.3\"",
                "--shapes; layer:8.512.512; shape: \"layer:8.512.512\"",
                "--shapes; layer:8.512.512.7; a multiple of the 7 heads",
                "--shapes; gemm:4096.0.512; has a 0",
                "--peers; cudnn; --peers: \"cudnn\"",
                "--device; no such thing; device: \"no such thing\" names no engine",
                "--engines; gpu9; device: \"gpu9\" names no engine",
                "--plan; best; --plan: \"best\"",
                "--rounds; 3; --rounds: 3",
                "--rounds; x; --rounds",
                "--warm-up; -1; --warm-up: -1.0",
                "--slowest; 0; --slowest: 0.0",
                "--dtype; int8; --dtype: \"int8\"",
                "--json; /no/such/dir/x.json; --json: /no/such/dir/x.json",
                "--chart; x.gif; --chart: x.gif",
                "--nonsense; 1; Unknown options"
            })
    void refusesBadInputInOneLine(String option, String value, String message) {
        assertThat(compare(option, value)).isEqualTo(2);
        assertThat(err.toString().strip())
                .startsWith("Compare: ")
                .contains(message)
                .doesNotContain("\n");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void aShapeThatDoesNotFitIntoMemoryIsRefusedInOneLine() throws Exception {
        Path said = directory.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:MaxDirectMemorySize=8m",
                "-cp",
                System.getProperty("java.class.path"),
                Compare.class.getName(),
                "--engines",
                "cpu",
                "--peers",
                "none",
                "--shapes",
                "1.2.2.8.8.8,1.4.4.4096.4096.64");
        // Rooflines are measured on devices, and there is none.
        builder.environment().put("OCL_ICD_VENDORS", directory.toString());
        builder.redirectError(said.toFile());
        Process process = builder.start();
        String table = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isEqualTo(2);
        assertThat(table).contains("1.2.2.8.8.8", "blocked");
        assertThat(Files.readAllLines(said)).singleElement().satisfies(line -> assertThat(line)
                .startsWith("Compare: shape: \"1.4.4.4096.4096.64\" does not fit into this JVM's memory"));
    }

    @Test
    void aContenderThatFailsInTheMiddleIsShownAsFailedAndTheRestGoesOn() {
        AttentionShape shape = AttentionShape.parse("1.2.2.64.64.32");
        Inputs inputs = Inputs.of(shape, DType.FLOAT32);
        Contender<Inputs> good = Peers.openAttention("plain-java", 2).get(0);
        List<Contender<Inputs>> contenders = List.of(
                new Broken(good, "late", 40), new Broken(good, "at once", 0), new Broken(good, "wrong", -1), good);
        List<Measurement> measured;
        try (Progress progress = Progress.start("test", 1)) {
            measured = new RoundTiming<>(contenders, new RoundTiming.Rules(7, 60, 3000, null)).run(inputs, progress);
        }
        assertThat(measured)
                .extracting(Measurement::outcome)
                .containsExactly(
                        Measurement.Outcome.FAILED,
                        Measurement.Outcome.FAILED,
                        Measurement.Outcome.FAILED,
                        Measurement.Outcome.TIMED);
        assertThat(measured.get(0).reason()).isEqualTo("broke at call 40");
        assertThat(measured.get(1).reason()).isEqualTo("broke at call 0");
        assertThat(measured.get(2).reason()).startsWith("wrong result: ");
    }

    @Test
    void whoeverIsTooSlowIsLeftOut() {
        AttentionShape shape = AttentionShape.parse("1.2.2.64.64.32");
        Inputs inputs = Inputs.of(shape, DType.FLOAT32);
        try (Progress progress = Progress.start("test", 1);
                Contender<Inputs> slow = Peers.openAttention("plain-java", 2).get(0)) {
            List<Measurement> measured =
                    new RoundTiming<>(List.of(slow), new RoundTiming.Rules(7, 60, 1e-6, null)).run(inputs, progress);
            assertThat(measured.get(0).outcome()).isEqualTo(Measurement.Outcome.TOO_SLOW);
            assertThat(measured.get(0).reason()).contains("s a call");
        }
    }

    /** Another contender's results, until it breaks at a call, or (−1) wrong ones. */
    private record Broken(Contender<Inputs> right, String name, int breaksAt) implements Contender<Inputs> {
        @Override
        public String plan() {
            return "none";
        }

        @Override
        public boolean isPeer() {
            return true;
        }

        @Override
        public Optional<String> refusal(Inputs inputs) {
            return Optional.empty();
        }

        @Override
        public Call prepare(Inputs inputs) {
            Call call = right.prepare(inputs);
            return new Call() {
                private int calls;

                @Override
                public void run() {
                    if (calls++ == breaksAt) {
                        throw new IllegalStateException("broke at call " + breaksAt);
                    }
                    call.run();
                }

                @Override
                public float[] output() {
                    float[] output = call.output().clone();
                    output[7] += breaksAt < 0 ? 1 : 0;
                    return output;
                }

                @Override
                public void close() {
                    call.close();
                }
            };
        }

        @Override
        public void close() {}
    }
}
