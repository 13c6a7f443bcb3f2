package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RusticlTest {
    private static final List<RegisteredDrivers.Driver> INSTALLED =
            List.of(new RegisteredDrivers.Driver("/etc/OpenCL/vendors/rusticl.icd", "libRusticlOpenCL.so.1"));

    @Test
    void theVariableIsNamedWhereItIsInstalledAndShowsNothing() {
        assertThat(RegisteredDrivers.whyNoRusticl(Map.of(), INSTALLED, List.of("Portable Computing Language")))
                .get()
                .asString()
                .endsWith("RUSTICL_ENABLE is not set.");
        assertThat(RegisteredDrivers.whyNoRusticl(Map.of("RUSTICL_ENABLE", "iris"), INSTALLED, List.of()))
                .get()
                .asString()
                .endsWith("RUSTICL_ENABLE=iris names none that is here.");
    }

    @Test
    void whereItIsNotInstalledOrHasADeviceNothingIsSaid() {
        assertThat(RegisteredDrivers.whyNoRusticl(Map.of(), List.of(), List.of()))
                .isEmpty();
        assertThat(RegisteredDrivers.whyNoRusticl(Map.of("RUSTICL_ENABLE", "llvmpipe"), INSTALLED, List.of("rusticl")))
                .isEmpty();
    }
}
