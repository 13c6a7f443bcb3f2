package dev.attention4j.opencl.probe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.Capabilities;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class DeviceProbeTest {
    @TempDir
    static Path programs;

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aDeviceIsProbedOnceByRunningKernels(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            DeviceProbe.checkArithmetic(context);
            Capabilities capabilities = DeviceProbe.capabilities(context);
            assertThat(capabilities.computesRight()).isTrue();
            assertThat(capabilities.facts()).containsEntry("kernels compute right", true);
            long builds = context.builds().size();
            assertThat(DeviceProbe.capabilities(context)).isSameAs(capabilities);
            assertThat(context.builds()).hasSize((int) builds);
        }
    }
}
