package dev.attention4j.opencl.projection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.ProjectionCheck;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernel for GPUs on every OpenCL device, against plain loops. */
class ProjectTilesTest {
    @TempDir
    static Path programs;

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    static List<ClDevice> quickDevices() {
        return ProjectionCheck.quickDevices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void isRightOnAllShapes(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            new ProjectionCheck(context).thorough(new ProjectTiles(context));
        }
    }

    @ParameterizedTest
    @MethodSource("quickDevices")
    void everyCandidateIsRight(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            assertThat(new ProjectionCheck(context).candidates(new ProjectTiles(context)))
                    .isGreaterThan(4);
        }
    }

    @Test
    void tunablesOfAnotherKernelAreRefused() {
        try (DeviceContext context = DeviceContext.open(devices().get(0), programs)) {
            Tunables tunables = Tunables.parse("LOCAL_ROWS=16,LOCAL_COLUMNS=0,MICRO_ROWS=4,MICRO_VECTORS=1,DEPTH=16");
            assertThat(new ProjectTiles(context).whyNot(Problem.USUAL, tunables))
                    .hasValueSatisfying(
                            why -> assertThat(why).contains("must be LOCAL_ROWS 1 to 64, LOCAL_COLUMNS 1 to 64"));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsNotFiniteStaysWhereItBelongs(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            new ProjectionCheck(context).notFinite(new ProjectTiles(context));
        }
    }
}
