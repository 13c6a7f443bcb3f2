package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MatrixUnitsTest {
    @Test
    void whereTheyAreTheyMultiplyRightAndElsewhereItIsSaidWhyNot() {
        assertThat(Devices.find().devices())
                .as("OpenCL devices of this machine")
                .isNotEmpty();
        for (ClDevice device : Devices.find().devices()) {
            Map<String, Object> found = MatrixUnits.measure(device);
            assertThat(found)
                    .as(device.name())
                    .containsOnlyKeys("mma_float16", "mma_bfloat16", "mma_tf32", "ldmatrix", "cp_async");
            if (MatrixUnits.concern(device)) {
                // Since Ampere they have all of them.
                assertThat(found.values()).as(device.name()).allSatisfy(entry -> assertThat(entry.toString())
                        .contains("right=true"));
            } else {
                assertThat(found.values()).as(device.name()).allSatisfy(entry -> assertThat(entry.toString())
                        .contains("right=false", "reason="));
            }
        }
    }
}
