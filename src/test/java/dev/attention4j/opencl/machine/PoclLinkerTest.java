package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class PoclLinkerTest {
    private static final String VERSION = "OpenCL 3.0 PoCL 3.1+debian  Linux, None+Asserts";

    @TempDir
    private Path directory;

    @Test
    void itMustBeInThePathAndRunnable() throws IOException {
        Map<String, String> environment = Map.of("PATH", "/nonexistent::a\0b:" + directory);
        assertThat(Pocl.whyNoLinker(environment, VERSION)).hasValueSatisfying(complaint -> assertThat(complaint)
                .contains("without the linker ld", directory.toString()));
        Path linker = Files.writeString(directory.resolve("ld"), "");
        assertThat(Pocl.whyNoLinker(environment, VERSION)).isPresent();
        assertThat(linker.toFile().setExecutable(true)).isTrue();
        assertThat(Pocl.whyNoLinker(environment, VERSION)).isEmpty();
        assertThat(Pocl.whyNoLinker(Map.of(), VERSION)).isPresent();
    }

    @Test
    void laterVersionsAndOtherPlatformsNeedNone() {
        assertThat(Pocl.whyNoLinker(Map.of(), "OpenCL 3.0 PoCL 7.0  Linux")).isEmpty();
        assertThat(Pocl.whyNoLinker(Map.of(), "OpenCL 3.0 ")).isEmpty();
    }
}
