package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegisteredDriversTest {
    @TempDir
    private Path vendors;

    private Path register(String name, String content) throws IOException {
        return Files.writeString(vendors.resolve(name), content);
    }

    @Test
    void eachFileOfADirectoryNamesALibrary() throws IOException {
        Path nvidia = register("nvidia.icd", "libnvidia-opencl.so.1");
        Path amd = register("amd.icd", "\n  /opt/amd/libamdocl64.so \nmore");
        register("empty.icd", "\n");
        register("readme.txt", "libnone.so");
        for (String variable : new String[] {"OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"}) {
            assertThat(RegisteredDrivers.find(Map.of(variable, vendors.toString())))
                    .containsExactly(
                            new RegisteredDrivers.Driver(amd.toString(), "/opt/amd/libamdocl64.so"),
                            new RegisteredDrivers.Driver(nvidia.toString(), "libnvidia-opencl.so.1"));
        }
    }

    @Test
    void aVariableNamesARegistrationOrALibrary() throws IOException {
        Path pocl = register("pocl.icd", "libpocl.so.2.10.0\n");
        assertThat(RegisteredDrivers.find(Map.of("OCL_ICD_VENDORS", pocl.toString())))
                .containsExactly(new RegisteredDrivers.Driver(pocl.toString(), "libpocl.so.2.10.0"));
        assertThat(RegisteredDrivers.find(
                        Map.of("OCL_ICD_VENDORS", "libone.so", "OCL_ICD_FILENAMES", "/a/libtwo.so:b.so")))
                .extracting(RegisteredDrivers.Driver::library)
                .containsExactly("libone.so", "/a/libtwo.so", "b.so");
        assertThat(RegisteredDrivers.find(Map.of("OPENCL_VENDOR_PATH", "libone.so")))
                .containsExactly(new RegisteredDrivers.Driver("OPENCL_VENDOR_PATH", "libone.so"));
        assertThat(RegisteredDrivers.find(Map.of("OCL_ICD_VENDORS", vendors + "/none.icd")))
                .isEmpty();
        assertThat(RegisteredDrivers.find(Map.of("OCL_ICD_VENDORS", "\0"))).isEmpty();
    }

    @Test
    void aLibraryThatIsNotThereIsSeenIfItIsAPath() {
        assertThat(new RegisteredDrivers.Driver("a.icd", "/no/such/lib.so"))
                .hasToString("a.icd (/no/such/lib.so: no such file)");
        assertThat(new RegisteredDrivers.Driver("a.icd", "lib.so")).hasToString("a.icd (lib.so)");
    }

    /** As letters beyond ASCII are in the locale C. */
    @Test
    void aPathThatJavaCannotNameIsPrinted() {
        assertThat(new RegisteredDrivers.Driver("a.icd", "/no/such\0/lib.so")).hasToString("a.icd (/no/such\0/lib.so)");
    }

    @Test
    void poclIsKnownByItsLibrary() {
        assertThat(new RegisteredDrivers.Driver("a.icd", "/usr/lib/libpocl.so.2.10.0").isPocl())
                .isTrue();
        assertThat(new RegisteredDrivers.Driver("pocl.icd", "libRusticlOpenCL.so.1").isPocl())
                .isFalse();
    }
}
