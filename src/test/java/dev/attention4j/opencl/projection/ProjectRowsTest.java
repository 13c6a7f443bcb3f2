package dev.attention4j.opencl.projection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.ProjectionCheck;
import dev.attention4j.testing.ProjectionCheck.Columns;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernel for CPUs on every OpenCL device, against plain loops. */
class ProjectRowsTest {
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
            new ProjectionCheck(context).thorough(new ProjectRows(context));
        }
    }

    /** Rows of 16 bits whose addresses are multiples of 2 and of no more, in vectors of each width that is built. */
    @ParameterizedTest
    @MethodSource("quickDevices")
    void anyAddressIsReadAndWritten(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            for (int width : new int[] {4, 8, 16}) {
                Tunables tunables = Tunables.parse(
                        "VECTOR_WIDTH=" + width + ",MICRO_ROWS=2,PANEL_VECTORS=1,TILES=2,PANELS=2,DEPTH=64");
                for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16)) {
                    int[] shape = {2, 2, 9, 37};
                    new ProjectionCheck(context)
                            .check(
                                    new ProjectRows(context),
                                    tunables,
                                    dtype,
                                    shape,
                                    true,
                                    new Columns(1, 37, true),
                                    new Columns(3, 19, false));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("quickDevices")
    void everyCandidateIsRight(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            assertThat(new ProjectionCheck(context).candidates(new ProjectRows(context)))
                    .isGreaterThan(4);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "VECTOR_WIDTH=8,MICRO_ROWS=6,PANEL_VECTORS=2,TILES=8,PANELS=16; DEPTH 1 to 4096",
                "VECTOR_WIDTH=3,MICRO_ROWS=6,PANEL_VECTORS=2,TILES=8,PANELS=16,DEPTH=64; 'VECTOR_WIDTH one of [4, 8, 16]'",
                "VECTOR_WIDTH=8,MICRO_ROWS=6,PANEL_VECTORS=2,TILES=8,PANELS=16,DEPTH=64,X=1; 'VECTOR_WIDTH one of [4, 8, 16]'",
                "VECTOR_WIDTH=8,MICRO_ROWS=16,PANEL_VECTORS=2,TILES=64,PANELS=16,DEPTH=4096; bytes of local memory",
            })
    void tunablesOfAnotherKernelAreRefused(String tunables, String message) {
        try (DeviceContext context = DeviceContext.open(devices().get(0), programs)) {
            assertThat(new ProjectRows(context).whyNot(Problem.USUAL, Tunables.parse(tunables)))
                    .hasValueSatisfying(why -> assertThat(why).contains(message));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsNotFiniteStaysWhereItBelongs(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            new ProjectionCheck(context).notFinite(new ProjectRows(context));
        }
    }
}
