package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kit's {@code run.sh} with a Java that lists devices as the test wants it, on a tree that looks like a machine. */
class KitScriptTest {
    /**
     * Lists DEVICES, by the kit's loader KIT_LOADER_DEVICES, the first of the kind KIND; ends as a driver's abort would
     * where ABORTS is part of a registered library's path.
     */
    private static final String JAVA =
            """
            #!/bin/sh
            here=$(cd "$(dirname "$0")/../.." && pwd)
            echo "$*" >>"$here/calls"
            case " $* " in
            *" devices --json "*) ;;
            *" doctor "*) echo "doctor's words" && exit 1 ;;
            *KitReport*) echo merged >"$5/results.json" && exit 0 ;;
            *) exit 0 ;;
            esac
            if [ -n "${ABORTS:-}" ] && grep -qs "$ABORTS" "$OCL_ICD_VENDORS"/*.icd; then
                echo "the driver's last words"
                exit 134
            fi
            count=${DEVICES:-0}
            case ${LD_LIBRARY_PATH:-} in
            "$here/lib"*) count=${KIT_LOADER_DEVICES:-$count} ;;
            esac
            for file; do :; done
            {
                printf '{\\n  "engines" : [ {\\n'
                index=0
                while [ "$index" -lt "$count" ]; do
                    printf '    "index" : %s,\\n    "id" : "opencl:%s",\\n' "$index" "$index"
                    printf '    "kind" : "%s",\\n    "name" : "Device %s",\\n  }, {\\n' "${KIND:-gpu}" "$index"
                    KIND=opencl_cpu
                    index=$((index + 1))
                done
                printf '    "index" : %s,\\n    "id" : "cpu",\\n    "kind" : "cpu",\\n    "name" : "Xeon",\\n' "$index"
                printf '  } ]\\n}\\n'
            } >"$file"
            echo "Not available here:"
            echo "  why  the list's words"
            """;

    private static final byte[] ELF_64 = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};

    @TempDir
    private Path temporary;

    private Path kit;
    private Path out;
    private final Map<String, String> environment = new LinkedHashMap<>();
    private String said;

    @BeforeEach
    void makeKit() throws IOException {
        kit = Files.createDirectories(temporary.resolve("the kit"));
        out = temporary.resolve("the results");
        for (String script : List.of("run.sh", "drivers.sh")) {
            Files.copy(Path.of("kit", script), kit.resolve(script));
        }
        Path java = kit.resolve("runtime/bin/java");
        Files.createDirectories(java.getParent());
        Files.writeString(java, JAVA);
        assertThat(java.toFile().setExecutable(true)).isTrue();
        environment.put("KIT_STEPS", "resident");
        environment.put("KIT_PYTHON", "no-python");
    }

    @Test
    void secondsThatAShellMisreadsAreRefused() throws Exception {
        for (String seconds : List.of("020", "99999999999999999999", "19", "471", "4x", "-30")) {
            environment.put("KIT_SECONDS", seconds);
            assertThat(run()).as(seconds).isEqualTo(2);
            assertThat(said).isEqualTo("run.sh: KIT_SECONDS: " + seconds + ", must be 20 to 470\n");
        }
        assertThat(out).doesNotExist();
    }

    @Test
    void stepsThatThereAreNotAreRefused() throws Exception {
        for (String wrong : List.of("doctro", "doctor,suite", "*")) {
            environment.put("KIT_STEPS", "devices " + wrong);
            assertThat(run()).as(wrong).isEqualTo(2);
            assertThat(said)
                    .startsWith("run.sh: KIT_STEPS: \"" + wrong + "\", must be of: devices doctor ")
                    .hasLineCount(1);
        }
        assertThat(out).doesNotExist();
    }

    @Test
    void whatNoRunHasLeftIsNeitherRemovedNorOverwritten() throws Exception {
        for (String name : List.of("steps/notes", "results.json")) {
            Path mine = out.resolve(name);
            Files.createDirectories(mine.getParent());
            Files.writeString(mine, "mine");
            assertThat(run()).isEqualTo(2);
            assertThat(said)
                    .contains("has " + name + ", which no run of the kit has left")
                    .hasLineCount(1);
            assertThat(mine).hasContent("mine");
            Files.delete(mine);
        }
        Path cache = Files.createDirectories(out.resolve("cache")).resolve("mine");
        Files.writeString(cache, "mine");

        assertThat(run()).as(() -> said).isZero();
        Path notes = Files.writeString(out.resolve("steps/notes"), "mine");
        Path stale = Files.writeString(out.resolve("steps/suite.json"), "{}");
        assertThat(run()).as(() -> said).isZero();

        assertThat(cache).hasContent("mine");
        assertThat(notes).hasContent("mine");
        assertThat(stale).doesNotExist();
        assertThat(out.resolve("steps/cache")).doesNotExist();
        assertThat(out.resolve("results.json")).hasContent("merged");
    }

    @Test
    void devicesAreListedWhateverIsAskedFor() throws Exception {
        environment.put("DEVICES", "1");

        assertThat(run()).as(() -> said).isZero();

        assertThat(said).contains("OpenCL devices: 1").doesNotContain("No OpenCL device", "doctor");
        assertThat(steps())
                .containsEntry("devices", "ok")
                .containsEntry("resident", "ok")
                .containsEntry("doctor", "not asked for");
    }

    @Test
    void noDeviceIsSaidWithItsReason() throws Exception {
        assertThat(run()).as(() -> said).isZero();
        assertThat(said).contains("OpenCL devices: 0", "No OpenCL device", "the list's words");

        environment.put("KIT_STEPS", "doctor tune");
        assertThat(run()).as(() -> said).isZero();
        assertThat(said).contains("No OpenCL device", "doctor's words");
        assertThat(steps()).containsEntry("doctor", "not here").containsEntry("tune", "not here");
    }

    @Test
    void aDoctorThatFindsAFaultInWhatIsListedHasFailed() throws Exception {
        environment.put("DEVICES", "1");
        environment.put("KIT_STEPS", "doctor");
        assertThat(run()).isEqualTo(1);
        assertThat(steps()).containsEntry("doctor", "failed");
    }

    @Test
    void aPoclThatEndsTheProcessIsLeftOut() throws Exception {
        register("pocl", "libpocl.so.2");
        register("nvidia", "libnvidia-opencl.so.1");
        environment.put("ABORTS", "libpocl");
        environment.put("DEVICES", "1");

        assertThat(run()).isEqualTo(1);

        assertThat(said)
                .contains("the driver's last words", "OpenCL devices: 1")
                .doesNotContain("No OpenCL device");
        assertThat(steps()).containsEntry("devices", "failed").containsEntry("devices-without-pocl", "ok");
        assertThat(out.resolve("steps/devices.json")).content().contains("opencl:0");
        assertThat(out.resolve("steps/vendors/pocl.icd")).doesNotExist();
        assertThat(out.resolve("steps/vendors/nvidia.icd")).exists();
    }

    @Test
    void whatCannotBeListedIsNotCalledAbsent() throws Exception {
        register("pocl", "libpocl.so.2");
        register("other", "libother.so");
        environment.put("ABORTS", "libother");
        environment.put("KIT_STEPS", "doctor");

        assertThat(run()).isEqualTo(1);

        assertThat(said)
                .contains("The OpenCL devices could not be listed")
                .doesNotContain("No OpenCL device", "OpenCL devices: ");
        assertThat(steps())
                .containsEntry("devices", "failed")
                .containsEntry("devices-without-pocl", "failed")
                .containsEntry("doctor", "failed");
        // It was not to blame.
        assertThat(out.resolve("steps/vendors/pocl.icd")).exists();
    }

    @Test
    void theLoaderThatListsMoreDevicesIsKept() throws Exception {
        library("usr/lib64/libOpenCL.so.1");
        register("pocl", "libpocl.so.2");
        register("nvidia", "libnvidia-opencl.so.1");
        environment.put("DEVICES", "1");
        environment.put("KIT_LOADER_DEVICES", "2");

        assertThat(run()).as(() -> said).isZero();
        assertThat(said).contains("OpenCL devices: 2");
        assertThat(loader()).isEqualTo("KIT_LOADER=bundled");
        assertThat(out.resolve("steps/devices.json")).content().contains("opencl:1");

        environment.put("KIT_LOADER_DEVICES", "1");
        assertThat(run()).as(() -> said).isZero();
        assertThat(said).contains("no more by the kit's loader", "OpenCL devices: 1");
        assertThat(loader()).isEqualTo("KIT_LOADER=system");
        assertThat(out.resolve("steps/devices.json")).content().doesNotContain("opencl:1");

        environment.put("DEVICES", "2");
        assertThat(run()).as(() -> said).isZero();
        assertThat(steps()).doesNotContainKey("devices-kit-loader");
    }

    @Test
    void aGpuIsTunedForTilesAlone() throws Exception {
        environment.put("KIT_STEPS", "tune");
        environment.put("DEVICES", "2");
        assertThat(tunedPlan("best")).isEqualTo("tiles");
        assertThat(tunedPlan("0")).isEqualTo("tiles");
        assertThat(tunedPlan("opencl:1")).isEqualTo("auto");
        assertThat(tunedPlan("DEVICE 1")).isEqualTo("auto");
        assertThat(tunedPlan("cpu")).isEqualTo("none");

        environment.put("KIT_TUNE", "gemm:64.64.64");
        assertThat(tunedPlan("best")).isEqualTo("auto");
        environment.put("KIT_TUNE_PLAN", "decode");
        assertThat(tunedPlan("best")).isEqualTo("decode");
    }

    private String tunedPlan(String device) throws Exception {
        environment.put("KIT_DEVICE", device);
        Files.deleteIfExists(kit.resolve("calls"));
        assertThat(run()).as(() -> said).isZero();
        return Files.readString(kit.resolve("calls"))
                .lines()
                .filter(line -> line.contains(" tune --device " + device + " "))
                .map(line -> line.replaceFirst(".* --plan ", ""))
                .findFirst()
                .orElse("none");
    }

    private void library(String path) throws IOException {
        Path file = temporary.resolve("machine").resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, ELF_64);
    }

    private void register(String name, String library) throws IOException {
        library("usr/lib64/" + library);
        Path vendors = Files.createDirectories(temporary.resolve("machine/etc/OpenCL/vendors"));
        Files.writeString(vendors.resolve(name + ".icd"), library + "\n");
    }

    private int run() throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder("/bin/sh", kit.resolve("run.sh").toString(), out.toString());
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.environment().put("KIT_ROOT", temporary.resolve("machine").toString());
        builder.environment().putAll(environment);
        builder.redirectErrorStream(true);
        Process process = builder.start();
        said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    /** Each step's outcome. */
    private Map<String, String> steps() throws IOException {
        Map<String, String> outcomes = new LinkedHashMap<>();
        for (String line : Files.readAllLines(out.resolve("steps/steps.tsv"))) {
            String[] fields = line.split("\t", -1);
            outcomes.put(fields[0], fields[1]);
        }
        return outcomes;
    }

    private String loader() throws IOException {
        return Files.readString(out.resolve("steps/env.sh"))
                .lines()
                .filter(line -> line.startsWith("KIT_LOADER="))
                .findFirst()
                .orElse("");
    }
}
