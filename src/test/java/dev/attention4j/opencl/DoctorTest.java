package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.TestEngines;
import dev.attention4j.opencl.runtime.Handles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the doctor finds here, and in JVMs in which something is missing. */
class DoctorTest {
    @TempDir
    Path temporary;

    /** Prints the last check of an examination; run in a JVM of its own. */
    static final class Examination {
        private Examination() {}

        public static void main(String[] arguments) {
            List<Doctor.Check> checks = Doctor.examine();
            Doctor.Check last = checks.get(checks.size() - 1);
            System.out.println(
                    checks.size() + "|" + last.ok() + "|" + last.what() + "|" + last.found() + "|" + last.fix());
        }
    }

    private String examine(Map<String, String> environment, String... jvmOptions) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(jvmOptions));
        command.addAll(List.of(
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Examination.class.getName()));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output.trim();
    }

    @Test
    void allIsWellHere() {
        List<Doctor.Check> checks = Doctor.examine();
        assertThat(checks).allSatisfy(check -> {
            assertThat(check.ok()).as(check.toString()).isTrue();
            assertThat(check.fix()).isEmpty();
        });
        assertThat(checks).hasSize(5 + TestEngines.openCl().size());
        assertThat(Handles.live()).as(Handles.report()).isZero();
    }

    @Test
    void aLoaderWithNoVendorBehindIt() throws Exception {
        String found = examine(Map.of("OCL_ICD_VENDORS", temporary.toString()));
        assertThat(found)
                .startsWith("4|false|a vendor's driver is registered|")
                .contains("CL_PLATFORM_NOT_FOUND_KHR")
                .contains("pocl-opencl-icd");
    }

    @Test
    void aVendorWhoseLibraryDoesNotLoad() throws Exception {
        Files.writeString(temporary.resolve("missing.icd"), "/no/such/library.so\n");
        assertThat(examine(Map.of("OCL_ICD_VENDORS", temporary.toString())))
                .startsWith("4|false|a vendor's driver is registered|");
    }

    @Test
    void aVendorWithNoDevice() throws Exception {
        // Rusticl shows no device unless one is enabled by name.
        Path rusticl = Path.of("/etc/OpenCL/vendors/rusticl.icd");
        assertThat(rusticl).as("mesa-opencl-icd is installed").exists();
        assertThat(examine(Map.of("OCL_ICD_VENDORS", rusticl.toString(), "RUSTICL_ENABLE", "")))
                .startsWith("5|false|a driver has a device|")
                .contains("none has a device");
    }

    @Test
    void aPlatformForWhichJoclHasNothing() throws Exception {
        assertThat(examine(Map.of(), "-Dos.arch=riscv64", "-Dattention4j.cache.dir=" + temporary))
                .startsWith("1|false|JOCL has a native library for this platform|")
                .contains("riscv64");
    }

    @Test
    void nowhereToUnpackTo() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        assertThat(examine(
                        Map.of(),
                        "-Dattention4j.cache.dir=" + file.resolve("cache"),
                        "-Djava.io.tmpdir=" + file.resolve("tmp")))
                .startsWith("2|false|JOCL's native library can be unpacked and loaded|")
                .contains("-Dattention4j.cache.dir=DIR");
    }

    @Test
    void aCacheThatCannotBeWrittenIsNoHindrance() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "a file where a directory should be");
        assertThat(examine(Map.of(), "-Dattention4j.cache.dir=" + file.resolve("cache")))
                .contains("|true|");
    }
}
