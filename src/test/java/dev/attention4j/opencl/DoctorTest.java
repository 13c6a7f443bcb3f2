package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DeviceException;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the doctor finds here, and in JVMs in which something is missing; and that the library's own errors say the
 * same.
 */
class DoctorTest {
    private static final Path POCL = Path.of("/etc/OpenCL/vendors/pocl.icd");

    @TempDir
    Path temporary;

    /** Prints an examination and what a program gets to see; run in a JVM of its own. */
    static final class Examination {
        private Examination() {}

        public static void main(String[] arguments) {
            Doctor.Examination examination = Doctor.examine();
            List<Doctor.Check> checks = new ArrayList<>(examination.machine());
            checks.addAll(examination.devices());
            for (Doctor.Check check : checks) {
                System.out.println(
                        (check.ok() ? "ok|" : "FAIL|") + check.what() + "|" + check.found() + "|" + check.fix());
            }
            // Logs why the CPU computes.
            AttentionEngine.open().close();
            try {
                AttentionEngine.open("opencl:0").close();
            } catch (IllegalArgumentException e) {
                System.out.println("ERROR|" + e.getMessage().replace('\n', ' '));
            }
        }
    }

    /** What the JVM printed, and what it logged. */
    private record Findings(List<String> lines, String log) {
        /** That just the last of so many checks failed, by its words; and that error and log say the same. */
        void assertLastFails(int checks, String what, String found, String fix) {
            List<String> made =
                    lines.stream().filter(line -> !line.startsWith("ERROR|")).toList();
            assertThat(made).as(log).hasSize(checks);
            assertThat(made.subList(0, checks - 1)).allMatch(line -> line.startsWith("ok|") && line.endsWith("|"));
            String[] last = made.get(checks - 1).split("\\|", -1);
            assertThat(last[0]).as(made.toString()).isEqualTo("FAIL");
            assertThat(last[1]).isEqualTo(what);
            assertThat(last[2]).contains(found);
            assertThat(last[3]).contains(fix);
            assertThat(lines.get(lines.size() - 1)).startsWith("ERROR|").contains(last[2], last[3]);
            assertThat(log).contains("Computing on the cpu: OpenCL cannot be used: " + last[2], "Fix: " + last[3]);
        }
    }

    private Findings examine(Map<String, String> environment, String... jvmOptions) throws Exception {
        return examine(List.of(), environment, jvmOptions);
    }

    private Findings examine(List<String> launcher, Map<String, String> environment, String... jvmOptions)
            throws Exception {
        List<String> command = new ArrayList<>(launcher);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Dattention4j.cache.dir=" + temporary.resolve("cache"));
        command.addAll(List.of(jvmOptions));
        command.addAll(List.of(
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Examination.class.getName()));
        Path log = temporary.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output + Files.readString(log)).isZero();
        // JOCL prints, too.
        List<String> lines = output.lines()
                .filter(line -> line.matches("(ok|FAIL|ERROR)\\|.*"))
                .toList();
        return new Findings(lines, Files.readString(log));
    }

    /** A directory of registrations. */
    private Map<String, String> vendors(String... libraries) throws IOException {
        Path directory = Files.createDirectory(temporary.resolve("vendors"));
        for (String library : libraries) {
            Files.writeString(directory.resolve(Path.of(library).getFileName() + ".icd"), library + "\n");
        }
        return Map.of("OCL_ICD_VENDORS", directory.toString());
    }

    private static Map<String, String> pocl(String variable, Path value) {
        return Map.of("OCL_ICD_VENDORS", POCL.toString(), variable, value.toString());
    }

    @Test
    void allIsWellHere() {
        Doctor.Examination examination = Doctor.examine();
        List<Doctor.Check> checks = new ArrayList<>(examination.machine());
        checks.addAll(examination.devices());
        assertThat(checks).allSatisfy(check -> {
            assertThat(check.ok()).as(check.toString()).isTrue();
            assertThat(check.fix()).isEmpty();
        });
        assertThat(examination.machine()).hasSize(6);
        assertThat(examination.devices()).hasSize(TestEngines.openCl().size());
        assertThat(Handle.live()).as(Handle.report()).isZero();
    }

    @Test
    void aPlatformForWhichJoclHasNothing() throws Exception {
        examine(Map.of(), "-Dos.arch=riscv64")
                .assertLastFails(
                        1, "JOCL has a native library for this platform", "riscv64", "the CPU engine works everywhere");
    }

    @Test
    void nowhereToUnpackTo() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        examine(Map.of(), "-Dattention4j.cache.dir=" + file.resolve("cache"), "-Djava.io.tmpdir=" + file.resolve("tmp"))
                .assertLastFails(
                        2,
                        "JOCL's native library can be unpacked and loaded",
                        file.resolve("tmp").toString(),
                        "-Dattention4j.cache.dir=DIR");
    }

    @Test
    void aCacheThatCannotBeWrittenIsNoHindrance() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        assertThat(examine(
                                Map.of("OCL_ICD_VENDORS", POCL.toString()),
                                "-Dattention4j.cache.dir=" + file.resolve("cache"))
                        .lines())
                .hasSize(7)
                .allMatch(line -> line.startsWith("ok|"));
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void whereNothingCanBeExecuted() throws Exception {
        Path mount = Files.createDirectory(temporary.resolve("noexec"));
        examine(
                        noexec(mount),
                        Map.of(),
                        "-Dattention4j.cache.dir=" + mount.resolve("cache"),
                        "-Djava.io.tmpdir=" + mount)
                .assertLastFails(
                        2,
                        "JOCL's native library can be unpacked and loaded",
                        "mounted noexec?",
                        "mounted without noexec: java -Dattention4j.cache.dir=DIR");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aCacheInWhichNothingCanBeExecutedIsNoHindrance() throws Exception {
        Path mount = Files.createDirectory(temporary.resolve("noexec"));
        assertThat(examine(
                                noexec(mount),
                                Map.of("OCL_ICD_VENDORS", POCL.toString()),
                                "-Dattention4j.cache.dir=" + mount.resolve("cache"))
                        .lines())
                .hasSize(7)
                .allMatch(line -> line.startsWith("ok|"));
    }

    /** Of whatever lies first on the linker's path, what is no library counts as none. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void noLoader() throws Exception {
        for (String name : List.of("libOpenCL.so", "libOpenCL.so.1")) {
            Files.writeString(temporary.resolve(name), "no library");
        }
        examine(Map.of("LD_LIBRARY_PATH", temporary.toString()))
                .assertLastFails(
                        3, "there is an OpenCL loader", "no OpenCL loader (libOpenCL)", "install ocl-icd-libopencl1");
    }

    @Test
    void aLoaderWithNoVendorBehindIt() throws Exception {
        examine(vendors())
                .assertLastFails(
                        4,
                        "a vendor's driver is registered, and loads",
                        "no vendor's driver is registered with it (clGetPlatformIDs: CL_PLATFORM_NOT_FOUND_KHR)",
                        "install pocl-opencl-icd");
    }

    @Test
    void aVendorWhoseLibraryIsNotThere() throws Exception {
        examine(vendors("/no/such/library.so"))
                .assertLastFails(
                        4,
                        "a vendor's driver is registered, and loads",
                        "library.so.icd (/no/such/library.so: no such file)",
                        "`ldd LIBRARY`");
    }

    @Test
    void aVendorWhoseLibraryDoesNotLoad() throws Exception {
        Path library = Files.writeString(temporary.resolve("libdriver.so"), "no library");
        examine(vendors(library.toString()))
                .assertLastFails(
                        4,
                        "a vendor's driver is registered, and loads",
                        "libdriver.so.icd (" + library + ")",
                        "`ldd LIBRARY`");
    }

    @Test
    void aVendorWithNoDevice() throws Exception {
        // Rusticl shows no device unless one is enabled by name.
        Path rusticl = Path.of("/etc/OpenCL/vendors/rusticl.icd");
        assertThat(rusticl).as("mesa-opencl-icd is installed").exists();
        examine(Map.of("OCL_ICD_VENDORS", rusticl.toString(), "RUSTICL_ENABLE", ""))
                .assertLastFails(5, "a driver has a device", "none has a device", "groups video and render");
    }

    @Test
    void aCacheThatPoclCannotWrite() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        examine(pocl("POCL_CACHE_DIR", file.resolve("pocl")))
                .assertLastFails(
                        5, "a driver has a device", file.resolve("pocl").toString(), "POCL_CACHE_DIR=DIR");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aCacheInWhichPoclCannotExecute() throws Exception {
        Path mount = Files.createDirectory(temporary.resolve("noexec"));
        examine(noexec(mount), pocl("XDG_CACHE_HOME", mount))
                .assertLastFails(
                        5,
                        "a driver has a device",
                        mount.resolve("pocl/kcache") + ": nothing can be executed there",
                        "POCL_CACHE_DIR=DIR");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aPathWithoutALinker() throws Exception {
        examine(pocl("PATH", temporary))
                .assertLastFails(5, "a driver has a device", "without the linker ld", "apt-get install binutils");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aDiskWithoutRoomForWhatPoclCompiles() throws Exception {
        Path mount = Files.createDirectory(temporary.resolve("small"));
        examine(mounted(mount, "size=512k,mode=700"), pocl("POCL_CACHE_DIR", mount))
                .assertLastFails(5, "a driver has a device", "512 KiB are left, 8 MiB must be", "with 8 MiB of room");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void withoutJnaTheJvmIsInDanger() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        Findings findings = examine(pocl("LD_PRELOAD", Path.of("")), "-Djna.tmpdir=" + file.resolve("jna"));
        assertThat(findings.lines()).hasSize(7);
        assertThat(findings.lines().get(5))
                .startsWith("FAIL|the JVM keeps its signal handlers")
                .contains("JNA does not load", "or start Java with LD_PRELOAD=" + System.getProperty("java.home"));
        assertThat(findings.lines().get(6)).startsWith("ok|opencl:0 ");
        assertThat(findings.log().lines().filter(line -> line.contains("signal handlers")))
                .as("said once")
                .singleElement()
                .asString()
                .contains("JNA does not load");
    }

    @Test
    void kernelsThatHaveTooFewRegistersAreNoted() {
        assertThat(Doctor.registers("opencl:0 GPU", Map.of()).fix()).isEmpty();
        Doctor.Check note = Doctor.registers("opencl:0 GPU", Map.of("forward_tiles fused/forward_tiles.cl -D A", 96L));
        assertThat(note.ok()).isTrue();
        assertThat(note.found()).isEqualTo("bytes of memory of a work-item: forward_tiles 96, which is slow");
        assertThat(note.fix()).contains("tune");
    }

    @Test
    void whoReplacesTheSignalHandlersAndWhetherTheyArePutBack() {
        assertThat(Doctor.signalHandlers(false, Optional.empty()).ok()).isTrue();
        assertThat(Doctor.signalHandlers(true, Optional.empty()))
                .matches(Doctor.Check::ok)
                .extracting(Doctor.Check::found)
                .isEqualTo("PoCL replaces them, and they are put back");
        assertThat(Doctor.signalHandlers(true, Optional.of("no JNA")).found()).contains("(no JNA): 7 / 0 may be 7");
    }

    @Test
    void aVariableThatNamesNothingIsWhatToMend() {
        assertThat(Doctor.fix(null, "install one")).isEqualTo("install one");
        assertThat(Doctor.fix("/", "install one")).isEqualTo("install one");
        assertThat(Doctor.fix("/what Java cannot name\0", "install one")).isEqualTo("install one");
        assertThat(Doctor.fix("/no/such/folder", "install one"))
                .startsWith("OCL_ICD_VENDORS=/no/such/folder names nothing that exists: unset it");
    }

    @Test
    void aDeviceThatDoesNotBuildOrRunKernels() {
        Doctor.Check check =
                Doctor.failed("opencl:3", "Some Platform 1.2", new DeviceException("clBuildProgram: no\nlog"));
        assertThat(check.ok()).isFalse();
        assertThat(check.found()).isEqualTo("clBuildProgram: no");
        assertThat(check.fix()).contains("update the driver, Some Platform 1.2");
    }

    @Test
    void aDeviceThatComputesWrong() {
        assertThat(Doctor.verdict("what", "driver", 3, new float[] {4, 4, 4, 4.000005f})
                        .ok())
                .isTrue();
        for (float[] wrong :
                List.of(new float[] {4, 4, 4}, new float[] {4, 4, 4.001f, 4}, new float[] {Float.NaN, 4, 4, 4})) {
            Doctor.Check check = Doctor.verdict("what", "driver", 3, wrong);
            assertThat(check.ok()).isFalse();
            assertThat(check.found()).startsWith("attention gave [").endsWith("must be 4 everywhere");
            assertThat(check.fix()).contains("conformance with --device 3");
        }
    }

    /**
     * The words before a command that run it with a file system mounted noexec, in namespaces of its own: where the
     * kernel or a container allows nobody that, the test is skipped.
     */
    private List<String> noexec(Path mount) throws Exception {
        return mounted(mount, "noexec");
    }

    private List<String> mounted(Path mount, String option) throws Exception {
        String mounting = "mount -t tmpfs -o " + option + " none '" + mount + "'";
        List<String> launcher =
                List.of("unshare", "--mount", "--map-root-user", "sh", "-c", mounting + " && \"$0\" \"$@\"");
        List<String> nothing = new ArrayList<>(launcher);
        nothing.add("true");
        Process trial = new ProcessBuilder(nothing).redirectErrorStream(true).start();
        String answer = new String(trial.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assumeTrue(trial.waitFor() == 0, () -> "a file system can be mounted here: " + answer);
        return launcher;
    }
}
