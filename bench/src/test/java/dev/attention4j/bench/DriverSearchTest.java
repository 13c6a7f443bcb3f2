package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kit's search for OpenCL drivers, on trees that look like machines. */
class DriverSearchTest {
    private static final Path SCRIPT = Path.of("kit", "drivers.sh");
    private static final byte[] ELF_64 = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};
    private static final byte[] ELF_32 = {0x7f, 'E', 'L', 'F', 1, 1, 1, 0};

    @TempDir
    private Path temporary;

    private Path machine;
    private Path out;
    private final Map<String, String> environment = new LinkedHashMap<>();

    /** What the search said and what it would set. */
    private record Found(String said, Map<String, String> set, Map<String, String> vendors) {}

    @BeforeEach
    void makeMachine() throws IOException {
        // A blank in the path: nothing may be split at it.
        machine = Files.createDirectories(temporary.resolve("a machine"));
        out = temporary.resolve("the kit's");
    }

    @Test
    void aDriverThatNobodyRegisteredIsRegisteredByItsPath() throws Exception {
        Path library = library("usr/local/nvidia/lib64/libnvidia-opencl.so.1", ELF_64);

        Found found = search();

        assertThat(found.said()).contains("found, not registered: " + library);
        assertThat(found.vendors()).containsExactly(Map.entry("kit-nvidia.icd", library.toString()));
        assertThat(found.set())
                .containsEntry("OCL_ICD_VENDORS", out.resolve("vendors").toString());
        // Its compiler lies beside it.
        assertThat(found.set().get("LD_LIBRARY_PATH").split(":", -1))
                .contains(library.getParent().toString());
    }

    @Test
    void driversOfEachVendorAreFoundWhereTheyArePut() throws Exception {
        Path nvidia = library("usr/lib64/nvidia/libnvidia-opencl.so.1", ELF_64);
        Path amd = library("opt/rocm-6.4.1/lib/libamdocl64.so", ELF_64);
        Path intel = library("usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so", ELF_64);

        Found found = search();

        assertThat(found.vendors())
                .containsOnly(
                        Map.entry("kit-nvidia.icd", nvidia.toString()),
                        Map.entry("kit-amd.icd", amd.toString()),
                        Map.entry("kit-intel.icd", intel.toString()));
        assertThat(found.set()).containsEntry("KIT_DRIVERS", "3");
    }

    @Test
    void aLibraryWithoutItsLinkIsFoundByItsVersion() throws Exception {
        Path library = library("usr/lib/x86_64-linux-gnu/libnvidia-opencl.so.580.159.03", ELF_64);

        assertThat(search().vendors()).containsExactly(Map.entry("kit-nvidia.icd", library.toString()));
    }

    @Test
    void emptyFilesAndLibrariesOf32BitsAreNoDrivers() throws Exception {
        library("usr/lib/x86_64-linux-gnu/libnvidia-opencl.so.1");
        library("usr/lib/libnvidia-opencl.so.1", ELF_32);

        Found found = search();

        assertThat(found.vendors()).isEmpty();
        assertThat(found.said()).contains("No OpenCL driver was found on this machine");
        assertThat(found.set()).containsEntry("KIT_DRIVERS", "0");
    }

    @Test
    void whatIsRegisteredIsKeptAndNotRegisteredTwice() throws Exception {
        Path library = library("usr/lib/x86_64-linux-gnu/libnvidia-opencl.so.1", ELF_64);
        register("nvidia.icd", "libnvidia-opencl.so.1\n");
        register("other.icd", library("opt/other/libother.so", ELF_64) + "\n");

        assertThat(search().vendors())
                .containsOnly(
                        Map.entry("nvidia.icd", library.toString()),
                        Map.entry(
                                "other.icd",
                                machine.resolve("opt/other/libother.so").toString()));
    }

    @Test
    void aRegistrationWhoseLibraryIsGoneIsReplacedByWhatIsThere() throws Exception {
        register("amdocl64.icd", "/opt/rocm-5.0.0/lib/libamdocl64.so\n");
        Path library = library("opt/rocm-6.4.1/lib/libamdocl64.so", ELF_64);

        Found found = search();

        assertThat(found.said()).contains("which is not there");
        assertThat(found.vendors()).containsExactly(Map.entry("kit-amd.icd", library.toString()));
    }

    @Test
    void foldersOfLdLibraryPathComeFirst() throws Exception {
        library("usr/lib64/libnvidia-opencl.so.1", ELF_64);
        Path first = library("home/me/my driver/libnvidia-opencl.so.1", ELF_64);
        environment.put("LD_LIBRARY_PATH", "/nowhere:" + first.getParent());

        assertThat(search().vendors()).containsExactly(Map.entry("kit-nvidia.icd", first.toString()));
    }

    @Test
    void theFolderOfOclIcdVendorsIsReadInsteadOfTheSystems() throws Exception {
        register("system.icd", library("opt/system/libsystem.so", ELF_64) + "\n");
        Path own = Files.createDirectories(temporary.resolve("own"));
        Path library = library("opt/own/libown.so", ELF_64);
        Files.writeString(own.resolve("own.icd"), library + "\n");
        environment.put("OCL_ICD_VENDORS", own.toString());

        assertThat(search().vendors()).containsExactly(Map.entry("own.icd", library.toString()));
    }

    @Test
    void anOclIcdVendorsThatIsNoFolderIsLeftAsItIs() throws Exception {
        library("usr/lib64/libnvidia-opencl.so.1", ELF_64);
        environment.put("OCL_ICD_VENDORS", "libmine.so");

        Found found = search();

        assertThat(found.vendors()).isEmpty();
        assertThat(found.set()).doesNotContainKey("OCL_ICD_VENDORS").containsEntry("KIT_DRIVERS", "1");
    }

    @Test
    void theBundledLoaderIsForMachinesWithNoneOfTheirOwn() throws Exception {
        Path bundled = Files.createDirectories(temporary.resolve("loader"));
        environment.put("KIT_LOADER_DIR", bundled.toString());

        Found without = search();
        assertThat(without.set()).containsEntry("KIT_LOADER", "bundled");
        assertThat(without.set().get("LD_LIBRARY_PATH")).startsWith(bundled.toString());

        library("usr/lib64/libOpenCL.so.1", ELF_64);
        Found with = search();
        assertThat(with.set()).containsEntry("KIT_LOADER", "system").doesNotContainKey("LD_LIBRARY_PATH");

        environment.put("KIT_FORCE_LOADER", "1");
        assertThat(search().set()).containsEntry("KIT_LOADER", "bundled");
    }

    @Test
    void theLinkersCacheIsBelieved() throws Exception {
        Path library = library("elsewhere/libnvidia-opencl.so.1", ELF_64);
        Path ldconfig = temporary.resolve("ldconfig");
        Files.writeString(
                ldconfig,
                "#!/bin/sh\nprintf '\\tlibnvidia-opencl.so.1 (libc6) => /i386/libnvidia-opencl.so.1\\n"
                        + "\\tlibnvidia-opencl.so.1 (libc6,x86-64) => " + library + "\\n"
                        + "\\tlibOpenCL.so.1 (libc6,x86-64) => /elsewhere/libOpenCL.so.1\\n'\n");
        assertThat(ldconfig.toFile().setExecutable(true)).isTrue();
        environment.put("KIT_LDCONFIG", ldconfig.toString());

        Found found = search();

        assertThat(found.vendors()).containsExactly(Map.entry("kit-nvidia.icd", library.toString()));
        // The linker knows that folder by itself.
        assertThat(found.set()).containsEntry("KIT_LOADER", "system").doesNotContainKey("LD_LIBRARY_PATH");
    }

    @Test
    void anNvidiaDriverWithoutItsOpenClPartIsSaid() throws Exception {
        library("usr/lib/x86_64-linux-gnu/libcuda.so.1", ELF_64);

        assertThat(search().said()).contains("an NVIDIA driver is here, but not its OpenCL library");
    }

    @Test
    void aPoclThatNobodyRegisteredDoesNotStandBesideAnotherDriver() throws Exception {
        Path pocl = library("usr/lib/x86_64-linux-gnu/libpocl.so.2", ELF_64);

        assertThat(search().vendors()).containsExactly(Map.entry("kit-pocl.icd", pocl.toString()));

        Path nvidia = library("usr/local/nvidia/lib64/libnvidia-opencl.so.1", ELF_64);
        Found beside = search();
        assertThat(beside.vendors()).containsExactly(Map.entry("kit-nvidia.icd", nvidia.toString()));
        assertThat(beside.set()).containsEntry("KIT_DRIVERS", "1");

        Files.delete(nvidia);
        register("other.icd", library("opt/other/libother.so", ELF_64) + "\n");
        assertThat(search().vendors()).containsOnlyKeys("other.icd");
    }

    @Test
    void poclIsLeftOutWhereThatIsAsked() throws Exception {
        register("pocl.icd", library("usr/lib/x86_64-linux-gnu/libpocl.so.2", ELF_64) + "\n");
        register("other.icd", library("opt/other/libother.so", ELF_64) + "\n");

        assertThat(search().vendors()).containsOnlyKeys("pocl.icd", "other.icd");

        environment.put("KIT_WITHOUT_POCL", "1");
        Found without = search();
        assertThat(without.said()).contains("libpocl.so.2: left out");
        assertThat(without.vendors()).containsOnlyKeys("other.icd");
        assertThat(without.set()).containsEntry("KIT_DRIVERS", "1");
    }

    private Path library(String path, byte... content) throws IOException {
        Path file = machine.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.write(file, content);
    }

    private void register(String name, String library) throws IOException {
        Path vendors = Files.createDirectories(machine.resolve("etc/OpenCL/vendors"));
        Files.writeString(vendors.resolve(name), library);
    }

    private Found search() throws IOException, InterruptedException {
        // What env.sh sets is asked of the shell that will read it.
        ProcessBuilder builder = new ProcessBuilder(
                "/bin/sh",
                "-c",
                "sh \"$1\" \"$2\" || exit 1; unset OCL_ICD_VENDORS LD_LIBRARY_PATH; . \"$2/env.sh\"; echo =; env;"
                        + " echo \"KIT_DRIVERS=$KIT_DRIVERS\"; echo \"KIT_LOADER=$KIT_LOADER\"",
                "sh",
                SCRIPT.toAbsolutePath().toString(),
                out.toString());
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.environment().put("KIT_ROOT", machine.toString());
        builder.environment().putAll(environment);
        builder.redirectErrorStream(true);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(text).isZero();
        String[] halves = text.split("\n=\n", 2);
        Map<String, String> set = new LinkedHashMap<>();
        halves[1].lines().forEach(line -> set.put(line.replaceFirst("=.*", ""), line.replaceFirst("[^=]*=", "")));
        Map<String, String> vendors = new LinkedHashMap<>();
        try (var files = Files.newDirectoryStream(out.resolve("vendors"))) {
            for (Path file : files) {
                vendors.put(
                        file.getFileName().toString(), Files.readString(file).strip());
            }
        }
        return new Found(halves[0], set, vendors);
    }
}
