package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.probe.DeviceProbe;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jocl.CL;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Buffers, programs, kernels and events, on every OpenCL device. */
class RuntimeTest {
    @TempDir
    Path temporary;

    static List<ClDevice> devices() {
        Devices.Search search = Devices.find();
        assertThat(search.status()).as(search.found()).isEqualTo(Devices.Status.FOUND);
        return search.devices();
    }

    private DeviceContext open(ClDevice device) {
        return DeviceContext.open(device, temporary.resolve("programs"));
    }

    @ParameterizedTest
    @MethodSource("devices")
    void theDriverReportsWhatADeviceHas(ClDevice device) {
        assertThat(device.name()).isNotBlank();
        assertThat(device.driverVersion()).isNotBlank();
        assertThat(device.computeUnits()).isPositive();
        assertThat(device.globalMemoryBytes()).isGreaterThan(1 << 20);
        assertThat(device.largestAllocationBytes()).isBetween(1L << 20, device.globalMemoryBytes());
        assertThat(device.localMemoryBytes()).isGreaterThanOrEqualTo(16 << 10);
        assertThat(device.maxWorkGroupSize()).isPositive();
        assertThat(device.available()).isTrue();
    }

    /** JOCL's own methods wake one for each transfer; it takes the place of a thread that computes. */
    @ParameterizedTest
    @MethodSource("devices")
    void noThreadWaitsForATransfer(ClDevice device) {
        ByteBuffer memory = ByteBuffer.allocateDirect(4096).order(ByteOrder.nativeOrder());
        try (DeviceContext context = open(device)) {
            ClBuffer buffer = context.pool().acquire(4096);
            context.queue().write(buffer, memory);
            context.queue().read(buffer, memory);
            if (context.sharesHostMemory()) {
                try (ClBuffer shared = context.share(memory)) {
                    context.queue().syncShared(shared);
                    context.queue().finish();
                }
            }
            context.queue().finish();
            context.pool().release(buffer);
        } finally {
            Reference.reachabilityFence(memory);
        }
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("AsyncOpThread"));
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsWrittenIsReadBack(ClDevice device) {
        try (DeviceContext context = open(device)) {
            ByteBuffer source = ByteBuffer.allocateDirect(1000).order(ByteOrder.nativeOrder());
            ByteBuffer target = ByteBuffer.allocateDirect(1000).order(ByteOrder.nativeOrder());
            for (int n = 0; n < 1000; n++) {
                source.put(n, (byte) (n * 7));
            }
            ClBuffer buffer = context.pool().acquire(1000);
            context.queue().write(buffer, source);
            context.queue().read(buffer, target);
            context.queue().finish();
            assertThat(target).isEqualTo(source);
            context.queue().poison(buffer);
            context.queue().read(buffer, target);
            context.queue().finish();
            assertThat(target.getFloat(0)).isNaN();
            assertThat(target.getFloat(996)).isNaN();
            context.pool().release(buffer);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void kernelsAreTimed(ClDevice device) {
        try (DeviceContext context = open(device)) {
            List<ClEvent> events = new ArrayList<>();
            context.queue().profileInto(events);
            DeviceProbe.checkArithmetic(context);
            context.queue().profileInto(null);
            assertThat(events).hasSize(1);
            assertThat(events.get(0).command()).isEqualTo("device_probe");
            assertThat(events.get(0).nanoseconds()).isBetween(0L, 10_000_000_000L);
            events.get(0).close();
            events.get(0).close();
            assertThatIllegalStateException().isThrownBy(() -> events.get(0).nanoseconds());
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aBuildErrorNamesFileAndLine(ClDevice device) {
        try (DeviceContext context = open(device)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> context.kernel("broken/broken.cl", "broken", Map.of()))
                    .withMessageContaining("CL_BUILD_PROGRAM_FAILURE")
                    .withMessageContaining("broken/broken.cl")
                    .withMessageContaining("undeclared_name");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> context.kernel("no/such.cl", "such", Map.of()))
                    .withMessageContaining("opencl/no/such.cl");
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> context.kernel("probe/device_probe.cl", "no_such_kernel", Map.of()))
                    .withMessageContaining("no_such_kernel");
        }
    }

    @Test
    void theLineOfAnErrorIsTheLineOfTheFile() {
        // Clang-based compilers honour #line; line 8 of broken.cl is the bad one, behind an include.
        ClDevice pocl = devices().stream()
                .filter(device -> device.platformName().contains("Portable Computing Language"))
                .findFirst()
                .orElseThrow();
        try (DeviceContext context = open(pocl)) {
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> context.kernel("broken/broken.cl", "broken", Map.of()))
                    .withMessageContaining("broken/broken.cl:8");
        }
    }

    /** PoCL compiles a kernel that asks for its work-group's number three times; these are large, and tell a function. */
    @ParameterizedTest
    @ValueSource(strings = {"fused/forward_rows.cl", "fused/forward_decode.cl"})
    void largeKernelsAreCompiledOnce(String file) {
        String source = KernelSource.read(file);
        String kernel = source.substring(source.indexOf("__kernel "));
        assertThat(source.substring(0, source.length() - kernel.length())).doesNotContain("get_group_id(");
        assertThat(kernel).contains("get_group_id(0)").doesNotContain("for (");
    }

    @Test
    void includesArePutInOnceAndLinesAreKept() {
        String source = KernelSource.read("broken/broken.cl");
        assertThat(source).containsOnlyOnce("#define MULTIPLY_ADD(a, b, c) fma");
        assertThat(source).contains("#line 1 \"broken/broken.cl\"").contains("#line 5 \"broken/broken.cl\"");
    }

    /** The devices whose programs can be kept. */
    static List<ClDevice> devicesWithBinaries() {
        List<ClDevice> devices = devices().stream()
                .filter(device -> !device.quirks().has(Quirks.Quirk.NO_BINARIES))
                .toList();
        assertThat(devices).isNotEmpty();
        return devices;
    }

    @ParameterizedTest
    @MethodSource("devicesWithBinaries")
    void aSecondStartCompilesNothing(ClDevice device) {
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
        }
        long before = DeviceContext.compiledFromSource();
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
        }
        assertThat(DeviceContext.compiledFromSource()).isEqualTo(before);
    }

    /** Where the driver keeps builds, the library keeps none unless a directory is chosen. */
    @ParameterizedTest
    @MethodSource("devices")
    void theUsersCacheIsForDriversThatKeepNoBuilds(ClDevice device) {
        String before = System.clearProperty("attention4j.programs");
        try (DeviceContext context = DeviceContext.open(device, null)) {
            assertThat(context.programCache().isOpen())
                    .isEqualTo(!device.platformName().contains("Portable Computing Language"));
        } finally {
            if (before != null) {
                System.setProperty("attention4j.programs", before);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whereBinariesAreNotTrustedNoneIsKept(ClDevice device) throws Exception {
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
        }
        try (Stream<Path> files = Files.list(temporary.resolve("programs"))) {
            assertThat(files.count()).isEqualTo(device.quirks().has(Quirks.Quirk.NO_BINARIES) ? 0 : 1);
        }
    }

    @ParameterizedTest
    @MethodSource("devicesWithBinaries")
    void aKeptBuildThatTheDriverCannotUseIsBuiltAgain(ClDevice device) throws Exception {
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
        }
        // Whole by its own hash, but not a program: what a driver of another version might have left.
        try (Stream<Path> files = Files.list(temporary.resolve("programs"))) {
            for (Path file : files.toList()) {
                String key = file.getFileName().toString().replace(".program", "");
                ProgramCache.open(temporary.resolve("programs")).store(key, new byte[64]);
            }
        }
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatIsClosedIsNotUsedAgain(ClDevice device) {
        DeviceContext context = open(device);
        ClBuffer buffer = context.pool().acquire(64);
        buffer.close();
        buffer.close();
        assertThatIllegalStateException().isThrownBy(() -> context.queue().poison(buffer));
        context.close();
        context.close();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void moreThanTheDeviceAllocatesIsRefusedWithBothNumbers(ClDevice device) {
        try (DeviceContext context = open(device)) {
            long most = device.largestAllocationBytes();
            assertThatExceptionOfType(DeviceException.class)
                    .isThrownBy(() -> context.pool().acquire(most + 1))
                    .withMessageContaining(Long.toString(most))
                    .withMessageContaining(Long.toString(most + 1));
        }
    }

    @Test
    void thePoolGivesTheSameBufferAgain() {
        try (DeviceContext context = open(devices().get(0))) {
            ClBuffer first = context.pool().acquire(10_000);
            context.pool().release(first);
            assertThat(context.pool().acquire(9_900)).isSameAs(first);
            ClBuffer second = context.pool().acquire(10_000);
            assertThat(second).isNotSameAs(first);
            first.close();
            second.close();
        }
        assertThat(BufferPool.sizeClass(1)).isEqualTo(256);
        assertThat(BufferPool.sizeClass(1025)).isEqualTo(1280);
        for (long bytes = 1; bytes < 1L << 40; bytes = bytes * 5 / 4 + 1) {
            assertThat(BufferPool.sizeClass(bytes)).isBetween(bytes, Math.max(256, bytes * 5 / 4 + 256));
        }
    }

    @Test
    void anotherUsersSwitchOfJoclExceptionsChangesNothing() {
        ClDevice device = devices().get(0);
        CL.setExceptionsEnabled(true);
        try (DeviceContext context = open(device)) {
            DeviceProbe.checkArithmetic(context);
            assertThatExceptionOfType(ClException.class)
                    .isThrownBy(() -> context.kernel("broken/broken.cl", "broken", Map.of()))
                    .withMessageContaining("undeclared_name");
        } finally {
            CL.setExceptionsEnabled(false);
        }
    }
}
