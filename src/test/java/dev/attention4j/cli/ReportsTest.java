package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.opencl.Doctor;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that report: devices, doctor, conformance. */
class ReportsTest {
    @TempDir
    private Path folder;

    @Test
    void devicesListsEveryEngineOnScreenAndAsJson() throws IOException {
        Path json = folder.resolve("devices.json");

        Cli cli = Cli.run("devices", "--json", json);

        assertThat(cli.exitCode()).isZero();
        List<?> engines = (List<?>) JSON.std.mapFrom(Files.readString(json)).get("engines");
        assertThat(engines).hasSameSizeAs(Engines.list());
        for (int n = 0; n < engines.size(); n++) {
            Map<?, ?> engine = (Map<?, ?>) engines.get(n);
            assertThat(engine.get("index")).isEqualTo(n);
            assertThat(engine.get("id")).isEqualTo(Engines.list().get(n).id());
            assertThat(cli.out()).containsPattern("(?m)^" + n + " +" + engine.get("id") + " ");
        }
        assertThat(cli.out()).containsPattern("quirks +[a-z]").doesNotContainPattern("quirks .*[A-Z]");
    }

    @Test
    void doctorWritesJson() throws IOException {
        Cli cli = Cli.run("doctor", "--json", "-");

        Map<String, Object> found = JSON.std.mapFrom(cli.out());
        assertThat(found).containsKeys("version", "date", "machine");
        assertThat(found.get("works")).isEqualTo(cli.exitCode() == 0);
        assertThat((List<?>) found.get("devices")).hasSize(TestEngines.openCl().size());
        assertThat(cli.err()).contains("OpenCL works here");
    }

    @Test
    void anOutcomeInJsonHasItsDateAndItsCommand() throws IOException {
        Cli cli = Cli.run("conformance", "--case", "refusal/axes", "--device", "cpu", "--json", "-");

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.err()).endsWith("1 passed, 0 failed\n");
        Map<String, Object> found = JSON.std.mapFrom(cli.out());
        assertThat(Instant.parse(found.get("date").toString())).isBefore(Instant.now());
        Map<?, ?> outcome = (Map<?, ?>) ((List<?>) found.get("outcomes")).get(0);
        assertThat(outcome.get("reproduce").toString()).startsWith(Text.program() + " conformance --case ");
    }

    @Test
    void longNamesAndFactsFitTheScreen() {
        List<String> many = new ArrayList<>();
        for (int n = 0; n < 60; n++) {
            many.add("cl_khr_extension_number_" + n);
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("memory", "16 GiB");
        facts.put("extensions", many);
        facts.put("quirk", "word ".repeat(50));
        EngineInfo engine = new EngineInfo(
                "opencl:0",
                EngineInfo.Kind.OPENCL_CPU,
                "pthread-13th Gen Intel(R) Core(TM) i9-13900K with a long name",
                "GenuineIntel",
                "3.1+debian, built with LLVM 15.0.6",
                facts);

        String table = DevicesCommand.table(List.of(engine));

        assertThat(table.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
        assertThat(table).contains("60 entries", "16 GiB", "opencl:0");
    }

    @Test
    void doctorGivesTheFixForEachFailure() {
        List<Doctor.Check> machine = List.of(
                new Doctor.Check("loader", true, "found", ""),
                new Doctor.Check("more", true, "idle", "enable"),
                new Doctor.Check("signals", false, "at risk", "preload"));
        List<Doctor.Check> devices = new ArrayList<>();
        PrintWriter out = new PrintWriter(new StringWriter());

        assertThat(DoctorCommand.report(new Doctor.Examination(machine, devices), out))
                .isEqualTo(1);

        devices.add(new Doctor.Check("first device", false, "does not build kernels", "apt-get install a-driver"));
        assertThat(DoctorCommand.report(new Doctor.Examination(machine, devices), out))
                .isEqualTo(1);

        devices.add(new Doctor.Check("second device", true, "computes right", ""));
        StringWriter verdict = new StringWriter();
        assertThat(DoctorCommand.report(new Doctor.Examination(machine, devices), new PrintWriter(verdict)))
                .isZero();
        assertThat(verdict.toString())
                .contains("FAIL  signals: at risk", "fix  preload", "note  more: idle", "fix  enable")
                .contains("FAIL  first device: does not build kernels", "fix  apt-get install a-driver")
                .contains("ok  second device: computes right")
                .contains("1 of 2 devices compute right");
    }

    @Test
    void doctorCommandAgreesWithItsVerdict() {
        Cli cli = Cli.run("doctor");

        assertThat(cli.err()).isEmpty();
        if (cli.lastLine().startsWith("OpenCL works here")) {
            assertThat(cli.exitCode()).isZero();
        } else {
            assertThat(cli.lastLine()).startsWith("OpenCL does not work here");
            assertThat(cli.exitCode()).isEqualTo(1);
        }
    }

    @Test
    void theBuiltInSuitePassesAndIsReportedInEveryForm() throws IOException {
        Path json = folder.resolve("outcomes.json");
        Path junit = folder.resolve("outcomes.xml");
        Path html = folder.resolve("outcomes.html");

        Cli cli =
                Cli.run("conformance", "--quick", "--device", "cpu", "--json", json, "--junit", junit, "--html", html);

        assertThat(cli.err()).isEmpty();
        assertThat(cli.out())
                .startsWith("The built-in suite, quick, seed 1")
                .containsPattern("(?m)^feature +cpu blocked$")
                .containsPattern("(?m)^packed +[01]\\.\\d\\d$");
        assertThat(cli.exitCode()).as(cli.out()).isZero();
        assertThat(cli.lastLine()).matches("[1-9]\\d* passed, 0 failed");
        Map<String, Object> report = JSON.std.mapFrom(Files.readString(json));
        assertThat(report.get("failed")).isEqualTo(0);
        assertThat((List<?>) report.get("outcomes")).hasSize((int) report.get("passed"));
        assertThat(junit).content().contains("<testsuite name=\"cpu blocked\"", "failures=\"0\"");
        assertThat(html).content().contains(cli.lastLine(), "<h3>cpu: ");
    }

    @Test
    void oneCaseRunsOnEveryEngineByEveryPlan() {
        Cli cli = Cli.run("conformance", "--case", "causal/bottom-right-5x2");

        assertThat(cli.exitCode()).as(cli.out()).isZero();
        int ways = 0;
        for (EngineInfo info : Engines.list()) {
            try (AttentionEngine engine = AttentionEngine.open(info.id())) {
                ways += engine.plans().size();
            }
        }
        assertThat(cli.lastLine()).isEqualTo(ways + " passed, 0 failed");
    }

    @Test
    void badUseOfTheSuiteIsRefused() {
        assertThat(Cli.run("conformance", "--case", "no/such").err()).contains("case: \"no/such\", must be");
        assertThat(Cli.run("conformance", "--case", "scale/zer").err()).endsWith("; did you mean \"scale/zero\"?\n");
        assertThat(Cli.run("conformance", "--limit", "0").err()).contains("--limit: 0, must be 1 or more");
        assertThat(Cli.run("conformance", "--cases", folder, "--quick").err())
                .contains("--cases: given with --quick, which is of the built-in suite");
        Cli noSuchPlan = Cli.run("conformance", "--case", "scale/zero", "--device", "cpu", "--plan", "none");
        assertThat(noSuchPlan.err()).contains("--plan: \"none\", must be auto, all or a plan of cpu");
        assertThat(noSuchPlan.exitCode()).isEqualTo(2);
    }

    @Test
    void wrongCaseFailsInOneLineAndUnknownOpsAreSummarised() throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (String name : List.of("input.query", "input.key", "input.value")) {
            tensors.put(name, Tensor.random(name.length(), 1, 1, 3, 4));
        }
        tensors.put("output.output", output(tensors));
        Safetensors.write(folder.resolve("right.safetensors"), tensors, Map.of("op", "attention", "name", "right"));
        Safetensors.write(folder.resolve("other.safetensors"), tensors, Map.of("op", "convolution", "name", "other"));
        tensors.put("output.output", Tensor.random(9, 1, 1, 3, 4));
        Safetensors.write(folder.resolve("wrong.safetensors"), tensors, Map.of("op", "attention", "name", "wrong"));

        Cli cli = Cli.run("conformance", "--cases", folder, "--device", "cpu");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.out().lines().filter(line -> line.startsWith("FAILED"))).hasSize(1);
        assertThat(cli.out())
                .contains("to run it again: " + Text.program() + " conformance --cases "
                        + folder.resolve("wrong.safetensors") + " --device cpu --plan auto");
        assertThat(cli.out())
                .contains("FAILED wrong", "1 skipped on cpu ", ": op convolution is not known to this version");
        assertThat(cli.lastLine()).isEqualTo("1 passed, 1 failed");
    }

    private static Tensor output(Map<String, Tensor> tensors) {
        try (AttentionEngine oracle = AttentionEngine.open("oracle")) {
            return oracle.attend(tensors.get("input.query"), tensors.get("input.key"), tensors.get("input.value"))
                    .output();
        }
    }
}
