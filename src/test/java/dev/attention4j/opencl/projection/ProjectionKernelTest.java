package dev.attention4j.opencl.projection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.projection.ProjectionPlan.Problem;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.testing.ProjectionCheck;
import dev.attention4j.testing.ProjectionCheck.Columns;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Both kernels, the one for CPUs and the one for GPUs, on every OpenCL device, against plain loops. */
class ProjectionKernelTest {
    @TempDir
    static Path programs;

    static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void rows(ClDevice device) {
        check(device, ProjectRows::new);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tiles(ClDevice device) {
        check(device, ProjectTiles::new);
    }

    /** Emulators build too slowly for this many kernels. */
    static List<ClDevice> quickDevices() {
        List<ClDevice> quick = devices().stream()
                .filter(device -> !device.quirks().has(Quirks.Quirk.EMULATOR))
                .toList();
        assertThat(quick).as("devices but emulators").isNotEmpty();
        return quick;
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

    /** On odd sizes, with more than one tile, panel and slice of inputs. */
    @ParameterizedTest
    @MethodSource("quickDevices")
    void everyCandidate(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            int checked = 0;
            for (ProjectionPlan plan : List.of(new ProjectRows(context), new ProjectTiles(context))) {
                for (Tunables tunables : plan.candidates(Problem.USUAL)) {
                    if (plan.whyNot(Problem.USUAL, tunables).isEmpty()) {
                        int[] shape = {3, 2, 41, 263};
                        Columns[] columns = {new Columns(3, 37, true), new Columns(1, 9, false)};
                        new ProjectionCheck(context).check(plan, tunables, DType.FLOAT32, shape, true, columns);
                        checked++;
                    }
                }
            }
            assertThat(checked).isGreaterThan(8);
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
    void tunablesThatAreNotTheRowsKernelsAreRefused(String tunables, String message) {
        try (DeviceContext context = DeviceContext.open(devices().get(0), programs)) {
            assertThat(new ProjectRows(context).whyNot(Problem.USUAL, Tunables.parse(tunables)))
                    .hasValueSatisfying(why -> assertThat(why).contains(message));
        }
    }

    @Test
    void tunablesThatAreNotTheTilesKernelsAreRefused() {
        try (DeviceContext context = DeviceContext.open(devices().get(0), programs)) {
            Tunables tunables = Tunables.parse("LOCAL_ROWS=16,LOCAL_COLUMNS=0,MICRO_ROWS=4,MICRO_VECTORS=1,DEPTH=16");
            assertThat(new ProjectTiles(context).whyNot(Problem.USUAL, tunables))
                    .hasValueSatisfying(
                            why -> assertThat(why).contains("must be LOCAL_ROWS 1 to 64, LOCAL_COLUMNS 1 to 64"));
        }
    }

    /** NaN and infinity reach the results that they belong to, and no other. */
    @ParameterizedTest
    @MethodSource("devices")
    void whatIsNotFiniteStaysWhereItBelongs(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            for (ProjectionPlan plan : List.of(new ProjectRows(context), new ProjectTiles(context))) {
                Tunables tunables = ProjectionCheck.usual(plan);
                ProjectionCheck check = new ProjectionCheck(context);
                Tensor input = Tensor.random(1, 1, 1, 20, 19);
                input.floats().put(7 * 19 + 3, Float.NaN).put(13 * 19 + 18, Float.POSITIVE_INFINITY);
                Tensor weights = Tensor.random(2, 19, 3, 7);
                weights.floats().put(5 * 21 + 20, Float.NaN);
                ClBuffer output = check.acquire(4L * 20 * 21);
                plan.enqueue(new ProjectionCall(
                        DType.FLOAT32,
                        new Operand(check.written(input, 0), 0, new long[4]),
                        null,
                        1,
                        1,
                        20,
                        19,
                        List.of(new ProjectionCall.Target(
                                check.written(ProjectionPlan.pack(weights, null, plan.panel(tunables)), 0),
                                output,
                                3,
                                7)),
                        tunables));
                Tensor result = Tensor.zeros(DType.FLOAT32, 1, 3, 20, 7);
                context.queue().read(output, result.bytes());
                context.queue().finish();
                for (int head = 0; head < 3; head++) {
                    for (int row = 0; row < 20; row++) {
                        for (int w = 0; w < 7; w++) {
                            float got = (float) result.get(0, head, row, w);
                            boolean nan = row == 7 || (head == 2 && w == 6);
                            assertThat(Float.isNaN(got))
                                    .as("%s %d %d %d", device, head, row, w)
                                    .isEqualTo(nan);
                            assertThat(Float.isInfinite(got)).isEqualTo(!nan && row == 13);
                        }
                    }
                }
                check.release();
            }
        }
    }

    private static void check(ClDevice device, Function<DeviceContext, ProjectionPlan> plans) {
        try (DeviceContext context = DeviceContext.open(device, programs)) {
            ProjectionPlan plan = plans.apply(context);
            Tunables tunables = ProjectionCheck.usual(plan);
            ProjectionCheck check = new ProjectionCheck(context);
            check.storages(plan);
            // More projections than one launch does, and inputs that come in several slices, within a head and across.
            Columns[] many = {
                new Columns(1, 3, true),
                new Columns(2, 3, false),
                new Columns(1, 70, true),
                new Columns(2, 4, true),
                new Columns(7, 8, true)
            };
            check.check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 50, 8}, false, many);
            check.check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 9, 1100}, false, new Columns(2, 20, true));
            check.check(plan, tunables, DType.FLOAT32, new int[] {1, 1, 25, 4096}, false, new Columns(1, 9, true));
            check.check(plan, tunables, DType.FLOAT32, new int[] {2, 7, 5, 151}, true, new Columns(1, 37, false));
        }
    }
}
